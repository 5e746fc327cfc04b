"""What is looked at before a dataset is published, and what stands in the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from phq.curate.verify.report import Report
from phq.dataset.card import card_of
from phq.dataset.overlays import about_overlay
from phq.dataset.reader import Dataset
from phq.dataset.whole_columns import columns
from phq.errors import ConfigError, PhqError
from phq.weights.licences import PERMISSIVE

COLUMNS = ("decision", "reason", "shard", "licence", "identity", "consent", "face_network")
ACCEPTABLE = ("licences",)
"""Findings that stand in the way unless they are accepted by name."""


@dataclass(frozen=True)
class Finding:
    """One result of a check."""

    name: str
    text: str
    """For people, with the way out."""
    blocks: bool
    """Whether nothing is published while it is so."""

    def line(self) -> str:
        """For the terminal."""
        return f"{'stop' if self.blocks else 'note'}  {self.name}: {self.text}"


def check_accepted(accepted: Collection[str]) -> None:
    """Let names of `ACCEPTABLE` pass.

    Raises:
        ConfigError: another name.
    """
    for name in accepted:
        if name not in ACCEPTABLE:
            raise ConfigError(f"{name!r} cannot be accepted; what can: {', '.join(ACCEPTABLE)}")


def findings(folder: Path, verified: Report, accepted: Collection[str]) -> list[Finding]:
    """What a publisher should know; those that stand in the way come first.

    Args:
        folder: the dataset.
        verified: its verification; with damaged tables nothing else is looked at.
        accepted: names of `ACCEPTABLE`.
    """
    kinds = Counter(violation.kind for violation in verified.violations)
    said = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(5))
    broken = [Finding("verify", f"{said}; phq verify {folder} says where, and what mends it", True)] if said else []
    if any(kind.startswith(_UNREADABLE) for kind in kinds):
        return broken
    try:
        found = _looked_at(folder, accepted)
    except PhqError:
        if not broken:
            raise
        return broken
    return sorted([*broken, *found], key=lambda finding: not finding.blocks)


_UNREADABLE = ("journal", "manifest", "overlay", "rejects", "run", "value")
"""Beginnings of violations with which columns cannot be relied on."""


def _looked_at(folder: Path, accepted: Collection[str]) -> list[Finding]:
    samples = Dataset(folder, rejects=True)
    stored = columns(samples, COLUMNS)
    stored = stored.filter(pc.fill_null(pc.not_equal(stored["shard"], ""), False))
    found = [finding for check in _CHECKS for finding in check(stored, samples)]
    return [Finding(f.name, f.text, f.blocks and f.name not in accepted) for f in found]


def _rejected(stored: pa.Table, samples: Dataset) -> Iterator[Finding]:
    """Pictures that an overlay has rejected are in the shards still, for everybody to read."""
    reasons = Counter(stored.filter(pc.equal(stored["decision"], "rejected"))["reason"].to_pylist())
    if reasons:
        said = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common(5))
        where = samples.root.where
        text = f"pictures of rejected samples are in the shards ({said}); phq bake {where} NEW leaves them out"
        yield Finding("rejected", text, True)


def _consent(stored: pa.Table, _: Dataset) -> Iterator[Finding]:
    counts = Counter(stored["consent"].to_pylist())
    if counts["no"]:
        text = f"{counts['no']} samples of people who refused; phq decide --set consent.min=0 --apply, then phq bake"
        yield Finding("refused", text, True)
    if counts[""] or counts["limited"]:
        unknown = f"{counts['']} samples of people of whose consent nothing is stated"
        limited = f", {counts['limited']} with limited consent" if counts["limited"] else ""
        yield Finding("consent", f"{unknown}{limited}, of {len(stored)}; a sidecar column consent states it", False)


def _licences(stored: pa.Table, samples: Dataset) -> Iterator[Finding]:
    """Other programs read the licence in the shards, where an overlay has not put it."""
    where = samples.root.where
    missing = pc.sum(pc.equal(pc.fill_null(stored["licence"], ""), "")).as_py() or 0
    built = Dataset(samples.root, revision=None, where="shard <> '' AND licence = ''")
    if missing:
        ways = f"state it (phq annotate {where} --name rights --sidecar FILE, then phq bake), or --accept licences"
        yield Finding("licences", f"{missing} of {len(stored)} samples have no licence; {ways}", True)
    elif len(built):
        text = f"{len(built)} samples have it in an overlay alone; phq bake {where} NEW writes it into the shards"
        yield Finding("licences", text, True)


def _personal(stored: pa.Table, _: Dataset) -> Iterator[Finding]:
    named = sum(bool(name) for name in stored["identity"].to_pylist())
    if named:
        yield Finding("identity", f"{named} samples say who is in them (identity)", False)
    faces = sum(bool(network) for network in stored["face_network"].to_pylist())
    if faces:
        yield Finding("faces", f"{faces} samples have a face embedding, which is biometric data", False)


def _overlays(_: pa.Table, samples: Dataset) -> Iterator[Finding]:
    if names := samples.overlays:
        text = f"{', '.join(names)}: seen by phq's reader alone; phq bake writes them into the shards"
        yield Finding("overlays", text, False)
    if reviewed := [name for name in names if about_overlay(samples.root, name).get("reviewers")]:
        yield Finding("reviewers", f"{', '.join(reviewed)}: names the reviewers", False)


def _models(_: pa.Table, samples: Dataset) -> Iterator[Finding]:
    strict = sorted({f"{m.name} ({m.licence})" for m in card_of(samples.run).models if not PERMISSIVE.match(m.licence)})
    if strict:
        yield Finding(
            "models", f"labels are by models under other than permissive licences: {', '.join(strict)}", False
        )


_CHECKS: tuple[Callable[[pa.Table, Dataset], Iterator[Finding]], ...] = (
    _rejected, _consent, _licences, _personal, _overlays, _models,
)  # fmt: skip
