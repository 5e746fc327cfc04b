"""A decision written as an overlay.

A build with ``keep_rejects`` is a build without thresholds with its decision as an overlay: the rejected samples are
stored like all others and can come back. ``phq decide`` revises it, ``phq bake`` writes the dataset without them, and
`phq.dataset` does not show them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from phq.config.build import Config
from phq.dataset.overlays import about_overlay, check_name, check_taken, stack_names, stage_overlay, write_overlay
from phq.dataset.reader import Dataset
from phq.dataset.root import Root
from phq.decisions.decide import Decided, decide_with, in_force
from phq.decisions.split_groups import LINKS, linked_rows, sides_of, split_of
from phq.errors import InputError
from phq.schema import DECISION
from phq.system.arrays import Bools, Ints
from phq.system.columns_on_disk import BATCH
from phq.system.journal import Change
from phq.system.version import __version__

BUILD = "build"
"""Name of the overlay that a build with ``keep_rejects`` writes; those of its extensions have a number behind it."""
NEAR = 1e-5
"""Numbers this near, or so near in proportion, are the same."""


def free_name(decided: Decided, stem: str = "decide", bare: bool = False) -> str:
    """``STEM-1``, or the next number that no overlay has; if `bare`, the first is STEM alone."""
    taken = {name.lower() for name in stack_names(decided.samples.run)}
    numbered = (stem if bare and n == 1 else f"{stem}-{n}" for n in range(1, len(taken) + 2))
    return next(name for name in numbered if name not in taken)


def applied_as(decided: Decided) -> str | None:
    """Name of the topmost overlay if it has this very decision, so that nothing would change."""
    names = decided.samples.overlays
    if not names or about_overlay(decided.samples.root, names[-1]) != _about(decided):
        return None
    return None if _changes(decided)[0] else names[-1]


def is_in_force(decided: Decided) -> bool:
    """Whether the dataset has this very decision by these very thresholds, so that an overlay would say nothing."""
    same = in_force(decided.samples).get("config") == _about(decided)["config"]
    return same and not _changes(decided)[0]


def _about(decided: Decided) -> dict[str, Any]:
    """How the overlay is made."""
    return {"command": "decide", "version": __version__, "config": decided.config.model_dump(mode="json")}


def apply(decided: Decided, name: str) -> int:
    """Put the decision on top of the dataset as overlay `name`; the number of samples in it.

    Only samples of which something changes are in it. One that enters and has no split yet goes where the samples are
    that it is linked to, or else where a build would have put it.

    Raises:
        InputError: the dataset is not on this machine, or the name cannot be used or is taken.
        OutputError: another overlay was put on the dataset meanwhile, or it cannot be written.
    """
    folder = decided.samples.root.local
    if folder is None:
        raise InputError(f"{decided.samples.root.where} is not a folder on this machine; an overlay can only go there")
    check_name(name)
    check_taken(decided.samples.root, name, stack_names(decided.samples.run))
    count, rows, columns = _changes(decided)
    write_overlay(Path(folder), name, rows, columns, _about(decided), read=decided.samples.run)
    return count


def stage_build_decision(change: Change, config: Config) -> tuple[str, Decided] | None:
    """Decide by a build's own configuration on the dataset that it stored by `phq.config.build.Config.storing_all`.

    Args:
        change: with the dataset's new tables and ``run.json``; the overlay is added.
        config: of the build.

    Returns:
        Name of the overlay, and the decision; None if no sample is stored.

    Raises:
        OutputError: the overlay cannot be written.
    """
    decided = decide_with(Dataset(Root(change.folder, change.new), rejects=True), config)
    if not len(decided.before):
        return None
    name = free_name(decided, BUILD, bare=True)
    stage_overlay(change, name, *_changes(decided)[1:], _about(decided))
    return name, decided


def _changes(decided: Decided) -> tuple[int, Iterator[dict[str, Any]], list[str]]:
    """How many samples something changes of, their rows, and the columns of these."""
    changed = {name: _differs(decided, name) for name in (*DECISION, "p_flip")}
    splits = _new_splits(decided)
    written = [column for column, where in changed.items() if where.any()] or ["decision"]
    rows = np.flatnonzero(np.any([changed[column] for column in written], axis=0))
    return len(rows), _rows(decided, rows, written, splits), [*written, "split"] if splits else written


def _differs(decided: Decided, name: str) -> Bools:
    before, after = decided.before[name], decided.after[name]
    if pa.types.is_large_string(after.type):
        return np.asarray(pc.not_equal(pc.fill_null(before, "\0"), pc.fill_null(after, "\0")))
    old, new = (np.asarray(pc.fill_null(column, np.nan)) for column in (before, after))
    return np.asarray(~np.isclose(old, new, rtol=NEAR, atol=NEAR, equal_nan=True))


def _rows(decided: Decided, rows: Ints, written: list[str], splits: dict[int, str]) -> Iterator[dict[str, Any]]:
    for start in range(0, len(rows), BATCH):
        some = rows[start : start + BATCH]
        keys, sides = (decided.before[name].take(some).to_pylist() for name in ("key", "split"))
        changed = decided.after.select(written).take(some).to_pylist()
        for row, key, side, fields in zip(some.tolist(), keys, sides, changed, strict=True):
            yield {"key": key, **fields} | ({"split": splits.get(row, side)} if splits else {})


def _new_splits(decided: Decided) -> dict[int, str]:
    """By row the split of those that enter without one: that of samples that it is linked to, else a build's."""
    splits = pc.fill_null(decided.before["split"], "")
    missing = np.flatnonzero(decided.entering & np.asarray(pc.equal(splits, "")))
    if not len(missing):
        return {}
    rows = linked_rows(decided.before.select(LINKS))
    names, sides = sides_of(rows.label, splits)
    found = {}
    for start in range(0, len(splits), BATCH):
        some = missing[slice(*np.searchsorted(missing, [start, start + BATCH]))]
        texts = rows.texts(start, BATCH) if len(some) else []
        for row, side in zip(some.tolist(), sides[rows.label[some]].tolist(), strict=True):
            found[row] = names[side] if side >= 0 else split_of(texts[row - start], decided.config)
    return found
