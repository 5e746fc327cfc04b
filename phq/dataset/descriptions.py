"""The files that describe a dataset, written again after its samples have changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from phq.dataset.card import Card, card_of
from phq.dataset.card_sections import mended_card, right_card, stated_checksums
from phq.dataset.counts import stored_rejects, true_counts
from phq.dataset.croissant import StoredFile, croissant, stored_file
from phq.dataset.folder import CARD, CROISSANT, MANIFEST, RUN, SPLITS, index_name
from phq.dataset.root import Root
from phq.dataset.scrub import Scrubber
from phq.dataset.summary import licences
from phq.dataset.wids_index import wids_index
from phq.schema import PROVENANCE
from phq.system.journal import Change
from phq.system.json_text import json_bytes

CARD_COLUMNS = ("source_path", "person_index", "split", "reason", "camera_yaw_deg", *PROVENANCE)
"""Columns that the card is made of, beside the names of the shards."""
DESCRIBED = (*CARD_COLUMNS, "shard")
"""Columns that the descriptions are made of."""


@dataclass(frozen=True)
class Tables:
    """`DESCRIBED` of the rows of the dataset."""

    manifest: pa.Table
    rejects: pa.Table

    def photos(self) -> int:
        """Number of different photos."""
        paths = [chunk for table in (self.manifest, self.rejects) for chunk in table["source_path"].chunks]
        return int(pc.count_distinct(pa.chunked_array(paths, pa.string())).as_py())

    def people(self) -> int:
        """Number of rows about a person, not about a photo as a whole."""
        return sum(len(table) - int(table["person_index"].null_count) for table in (self.manifest, self.rejects))


class Descriptions:
    """Stages the descriptions of the dataset as it will be.

    Args:
        change: has the new files, shards and tables among them.
        scrubber: removes the names of samples that are gone.
        before: the rows as they are.
        after: the rows as they will be.
        shards: split → samples of each of its shards, in order, afterwards.
    """

    def __init__(
        self, change: Change, scrubber: Scrubber, before: Tables, after: Tables, shards: Mapping[str, Mapping[str, int]]
    ) -> None:
        self.change = change
        self.scrubber = scrubber
        self.before = before
        self.after = after
        self.shards = shards
        self._staged = set(change.staged())

    def stage(self, run: Mapping[str, Any]) -> None:
        """Indexes, ``run.json``, card, and ``croissant.json`` if there was one.

        Args:
            run: content of ``run.json`` so far.
        """
        for split in SPLITS:
            self._stage_index(split)
        new = self.scrubber.json({**run, "counts": self._counts(run)})
        self.change.write(RUN, json_bytes(new))
        card = card_of(new)
        self.change.write(CARD, self._card(card).encode())
        if (self.change.folder / CROISSANT).exists():
            manifest = stored_file(self.change.folder, MANIFEST, self._path(MANIFEST))
            content = croissant(card, licences(self.after.manifest), manifest, self._checksums())
            self.change.write(CROISSANT, content)

    def _stage_index(self, split: str) -> None:
        name, shards = index_name(split), self.shards[split].items()
        if not shards:
            self.change.delete(name)
            return
        new = wids_index(split, [(shard, n, self._path(shard).stat().st_size) for shard, n in shards])
        there = self.change.folder / name
        if not there.exists() or there.read_bytes() != new:  # also where nothing but the last shard is gone
            self.change.write(name, new)

    def _counts(self, run: Mapping[str, Any]) -> dict[str, Any]:
        old = run.get("counts", {})
        stored = stored_rejects(Root(self.change.folder, self.change.new), run)
        new = true_counts(old, self.after.manifest, self.after.rejects, stored) | {
            "photos": old.get("photos", 0) - self.before.photos() + self.after.photos(),
            "people": old.get("people", 0) - self.before.people() + self.after.people(),
        }
        return {**old, **{name: value for name, value in new.items() if name in old}}

    def _card(self, card: Card) -> str:
        """As phq writes it; in one that a person has changed, only the parts that follow from the rows are new."""
        path = self.change.folder / CARD
        there = path.read_bytes() if path.exists() else None
        names = sorted(name for shards in self.shards.values() for name, samples in shards.items() if samples)
        old = right_card(card, self.before.manifest, self.before.rejects)
        new = right_card(card, self.after.manifest, self.after.rejects, names)
        if there is None or there == old.encode():
            return new
        return self.scrubber.text(mended_card(there, new))

    def _path(self, name: str) -> Path:
        """Where the new content of a file is so far."""
        return self.change.path(name) if name in self._staged else self.change.folder / name

    def _checksums(self) -> list[StoredFile]:
        known = stated_checksums((self.change.folder / CROISSANT).read_bytes())
        names = [name for split in SPLITS for name in self.shards[split]]
        return [self._checksum(name, known.get(name)) for name in names]

    def _checksum(self, name: str, known: str | None) -> StoredFile:
        # shards that nothing happens to are not read: there may be terabytes of them
        if known and name not in self._staged:
            return StoredFile(name, (self.change.folder / name).stat().st_size, known)
        return stored_file(self.change.folder, name, self._path(name))
