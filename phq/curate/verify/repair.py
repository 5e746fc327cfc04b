"""`repair`: repairs of a dataset that lose nothing; each step is atomic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from phq.curate.verify import mend_manifest, mend_shards
from phq.curate.verify.mend_beside import (
    mend_card,
    mend_counts,
    mend_croissant,
    mend_indices,
    mend_leftovers,
    mend_overlays,
    mend_rejects,
    mend_schema,
)
from phq.curate.verify.report import Report
from phq.system.journal import JOURNAL, Change, recover, stage


@dataclass(frozen=True)
class Step:
    """One kind of repair."""

    kinds: frozenset[str]
    """Violations that it may repair."""
    mend: Callable[[Report, Change], list[str]]
    """Stages new files for the violations in a report, and returns a sentence for each repair."""
    describes: bool = False
    """It rewrites a description of the samples, which stays while some are missing, since it says which."""


def _step(mend: Callable[[Report, Change], list[str]], *kinds: str, describes: bool = False) -> Step:
    return Step(frozenset(kinds), mend, describes)


MISSING = frozenset((
    "shard_missing", "shard_unreadable", "shard_numbering", "shard_truncated", "bytes_unaccounted", "member_missing",
    "member_unknown", "sample_missing", "sample_unlisted",
))  # fmt: skip
"""Violations by which samples of a dataset are missing."""


ROUNDS = (
    (_step(mend_leftovers, "leftover"), Step(mend_shards.MENDS, mend_shards.mend)),
    (
        Step(mend_manifest.MENDS, mend_manifest.mend),
        _step(mend_rejects, "reject_stored", "rejects_missing", "rejects_unreadable"),
    ),
    (
        _step(mend_overlays, "overlay_unlisted"),
        _step(mend_indices, "index_missing", "index_wrong", describes=True),
        _step(mend_schema, "schema_wrong"),
    ),
    (
        _step(mend_counts, "run_counts", describes=True),
        _step(mend_card, "card_missing", "card_wrong", describes=True),
    ),
    (_step(mend_croissant, "croissant_missing", "croissant_wrong", "checksum_differs", describes=True),),
)
"""Each round starts from the dataset as the rounds before have left it."""


def repair(folder: Path, look: Callable[[], Report]) -> Report:
    """Repair what can be repaired without loss, and verify again.

    Shards are written again only around members that are whole; images, masks and anything of the user's are never
    changed. The report lists the repairs, and the violations that remain.

    Args:
        folder: of the dataset.
        look: verifies it.

    Raises:
        InputError: there is no dataset in that folder.
        OutputError: it cannot be written, or another process is changing it.
    """
    done = _recovered(folder)
    report = look()
    for steps in ROUNDS:
        found = {violation.kind for violation in report.violations}
        mended = []
        for step in steps:
            if step.kinds & found and not (step.describes and MISSING & found):
                with stage(folder) as change:
                    mended += step.mend(report, change)
        if mended:
            done += mended
            report = look()
    report.repaired = done
    return report


def _recovered(folder: Path) -> list[str]:
    if not (folder / JOURNAL).exists():
        return []
    recover(folder)
    return [] if (folder / JOURNAL).exists() else ["an interrupted change was carried out or dropped"]
