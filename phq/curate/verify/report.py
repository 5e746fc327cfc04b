"""The report of `verify`, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from phq.curate.verify.beside import Described
from phq.curate.verify.kinds import KIND_BY_NAME, Violation, advice


@dataclass
class Report:
    """Violations in a dataset, and what was repaired."""

    folder: Path
    quick: bool
    """Images and masks were not read."""
    violations: list[Violation] = field(default_factory=list)
    """In an order that does not depend on the number of workers."""
    notes: list[str] = field(default_factory=list)
    """Files that are not part of the dataset."""
    repaired: list[str] = field(default_factory=list)
    """Sentences about repairs made before this verification."""
    shards: int = 0
    samples: int = 0
    size: int = 0
    """Bytes of the shards."""
    seconds: float = 0.0
    state: Described | None = None
    """The dataset as it was read, for `phq.curate.verify.repair`."""

    @property
    def clean(self) -> bool:
        """Whether there are no violations."""
        return not self.violations

    def lines(self) -> Iterator[str]:
        """The report as text: a line for each violation, then the meaning of each kind."""
        yield from (f"note  {note}" for note in self.notes)
        yield from map(str, self.violations)
        yield from (f"repaired  {what}" for what in self.repaired)
        if self.violations:
            yield ""
            yield from advice(self.violations)
        yield self.summary()

    def summary(self) -> str:
        """A line with verdict, size and speed."""
        count = len(self.violations)
        verdict = f"{count} violation{'s' * (count != 1)}" if count else "clean"
        looked = "without the pictures" if self.quick else "every byte"
        speed = f"{self.seconds:.1f} s, {self.size / 1e6 / max(self.seconds, 1e-9):.0f} MB/s"
        return f"{verdict}   {self.shards} shards, {self.samples} samples, {looked}   {speed}"

    def remedy(self, repair_tried: bool = False) -> str:
        """The next command against the violations, such as ``verify --repair`` or ``split --by identity``; '' if none
        helps."""
        kinds = [KIND_BY_NAME[found.kind] for found in self.violations]
        if not repair_tried and any(kind.repair for kind in kinds):
            return "verify --repair"
        return next((kind.command for kind in kinds if kind.command), "")

    def record(self) -> dict[str, Any]:
        """The report as a JSON object."""
        violations = [{**vars(found), "meaning": KIND_BY_NAME[found.kind].text} for found in self.violations]
        return {
            "dataset": str(self.folder),
            "clean": self.clean,
            "quick": self.quick,
            "shards": self.shards,
            "samples": self.samples,
            "bytes": self.size,
            "seconds": round(self.seconds, 3),
            "violations": violations,
            "notes": self.notes,
            "repaired": self.repaired,
        }
