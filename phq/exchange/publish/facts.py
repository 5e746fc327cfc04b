"""What phq knows of a dataset, as lines of Markdown, for the answers of a datasheet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from phq.dataset.card import card_of, markdown_table, yaw_table
from phq.dataset.credits import MOST
from phq.dataset.descriptions import CARD_COLUMNS
from phq.dataset.reader import Dataset
from phq.dataset.run import first_command
from phq.dataset.summary import Summary
from phq.dataset.takedowns import takedowns
from phq.dataset.thresholds import thresholds_in_force
from phq.dataset.tombstones import read_tombstones
from phq.dataset.whole_columns import columns
from phq.reasons import REASONS, RULES
from phq.schema import CONSENT, GROUPS

_READ = (
    *CARD_COLUMNS, "decision", "shard", "image_size", "face_found", "face_network", "p_flip", "yaw_sigma_deg",
    "source_sha256", *GROUPS,
)  # fmt: skip
_TEXTS = {reason.name: reason.text for reason in REASONS} | {rule.reason: rule.text for rule in RULES}


@dataclass(frozen=True)
class Facts:
    """The dataset as its latest revision is read."""

    dataset: Dataset
    kept: pa.Table
    rejects: pa.Table
    summary: Summary

    @staticmethod
    def of(folder: Path) -> Facts:
        """Of a dataset.

        Raises:
            InputError: no dataset, or one of an older phq.
        """
        dataset = Dataset(folder, rejects=True)
        table = columns(dataset, _READ)
        keeps = pc.fill_null(pc.equal(table["decision"], "kept"), False)
        kept, rejects = table.filter(keeps), table.filter(pc.invert(keeps))
        return Facts(dataset, kept, rejects, Summary([kept], [rejects]))

    def count(self, column: str) -> int:
        """Kept samples in which a text or flag is set."""
        return sum(bool(value) for value in self.kept[column].to_pylist())

    def samples(self) -> Iterator[str]:
        """What a sample is."""
        sizes = ", ".join(str(size) for size in sorted(set(self.kept["image_size"].to_pylist())))
        yield f"One person in one photo: a square headshot ({sizes} pixels a side), a mask of the person, and a record "
        yield "with body pose, camera, keypoints, scores and source (README.md, schema.json)."

    def counts(self) -> Iterator[str]:
        """Samples, photos, splits."""
        photos = int(pc.count_distinct(self.kept["source_sha256"]).as_py())
        yield f"{len(self.kept)} samples of {photos} photos."
        yield ""
        yield from markdown_table(("split", "samples"), Counter(self.kept["split"].to_pylist()).most_common())

    def selection(self) -> Iterator[str]:
        """What was thrown out."""
        photos = self.dataset.run.get("counts", {}).get("photos")
        of = f"Of {photos} photos, " if photos else ""
        yield f"{of}{len(self.rejects)} records of people and photos were rejected for the reasons below;"
        yield "rejects.parquet has each with its score and threshold."
        if self.summary.reasons:
            yield ""
            rows = [(name, count, _TEXTS.get(name, "")) for name, count in self.summary.reasons.most_common()]
            yield from markdown_table(("reason", "rejects", "meaning"), rows)

    def thresholds(self) -> Iterator[str]:
        """The thresholds in force."""
        limits = thresholds_in_force(self.dataset)
        if not limits:
            yield "No threshold was in force."
            return
        texts = {rule.address: rule.text for rule in RULES}
        yield from markdown_table(("threshold", "value", "score"), [(n, f"{v:g}", texts[n]) for n, v in limits.items()])

    def directions(self) -> Iterator[str]:
        """Where the cameras are."""
        yield from yaw_table(self.summary.sectors)

    def doubt(self) -> Iterator[str]:
        """How sure the labels are of themselves."""
        yield "Labels are estimates of networks and of a fit, not measurements. What they state of their own doubt:"
        yield ""
        rows = []
        for name in ("p_flip", "yaw_sigma_deg"):
            values = np.asarray(self.kept[name], np.float64)
            parts = np.percentile(values, [50, 95]).tolist() if len(values) else [0.0, 0.0]
            rows += [(name, *(f"{value:.3g}" for value in parts))]
        yield from markdown_table(("field", "median", "95 % below"), rows)

    def revisions(self) -> Iterator[str]:
        """The overlays."""
        names = self.dataset.overlays
        yield f"Labels were revised by overlays: {', '.join(names)}." if names else "No overlay revises them."

    def relations(self) -> Iterator[str]:
        """Groups of samples."""
        people, both = self.summary.people()
        yield f"{people} people are told apart by name (`identity`), {both} of them in two splits."
        for name in GROUPS:
            groups = set(self.kept[name].to_pylist()) - {"", None}
            yield f"`{name}`: {self.count(name)} samples in {len(groups)} groups."

    def people(self) -> Iterator[str]:
        """How far people can be known again."""
        yield f"{self.count('face_found')} of {len(self.kept)} samples show a face; {self.count('identity')} name the"
        yield f"person; {self.count('face_network')} have a face embedding. phq estimates no age, gender or origin."

    def sources(self) -> Iterator[str]:
        """Where the photos are from."""
        yield f"The samples were made by `phq {first_command(self.dataset.run) or 'build'}`."
        yield from self._stated("source", "author")

    def licences(self) -> Iterator[str]:
        """Licences of the photos."""
        yield "As stated for each sample (`licence`):"
        yield from self._stated("licence")

    def _stated(self, *names: str) -> Iterator[str]:
        for name in names:
            rows = [(value or "not stated", count) for value, count in self.summary.credits(name)]
            yield from ("", *markdown_table((name, "samples"), rows[:MOST]))
            if len(rows) > MOST:
                yield from ("", f"… and {len(rows) - MOST} more.")

    def consent(self) -> Iterator[str]:
        """What is stated about consent."""
        rows = [(value or "not stated", self.summary.consent[value]) for value in CONSENT]
        yield "As stated for each sample (`consent`):"
        yield from ("", *markdown_table(("consent", "samples"), rows))

    def models(self) -> Iterator[str]:
        """What touched the labels."""
        card = card_of(self.dataset.run)
        rows: Sequence[Sequence[str]] = [(m.name, m.purpose, m.licence, m.source) for m in card.models]
        yield f"phq {card.version}; run.json has the whole configuration. Models:"
        yield from ("", *markdown_table(("model", "purpose", "licence", "source"), rows))

    def removals(self) -> Iterator[str]:
        """What was taken down."""
        log = takedowns(read_tombstones(self.dataset.root))
        samples, photos = sum(one.samples for one in log), sum(one.photos for one in log)
        yield f"{samples} samples and {photos} whole photos were removed so far (TAKEDOWNS.md)."
        yield "Removed samples stay out of extensions and merges: tombstones.parquet has a hash of each."
