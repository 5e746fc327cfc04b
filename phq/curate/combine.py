"""The rows of several datasets on their way into one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from phq.config.build import Config
from phq.curate.annotate.folding import encoded
from phq.curate.target import COLUMNS, target_of_names
from phq.curate.united import Source
from phq.dataset.scrub import NAMING, Scrubber
from phq.dataset.tombstones import Tombstone, text_sha256
from phq.decisions.components import components
from phq.decisions.rows import Fields, mark_duplicates, without_storage


class Rows:
    """All rows, kept and rejected; the steps change them, in the order in which they stand here."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.kept = [row for source in sources for row in source.kept]
        self.rejects = [row for source in sources for row in source.rejects]
        self._origin = {id(row): source for source in sources for row in source.kept}
        self._of_key: dict[str, Source] = {}

    def obey(self, stones: Sequence[Tombstone]) -> int:
        """Leave out what was redacted somewhere, and take its names out of the other rows' texts."""
        hashes = {stone.key_sha256 for stone in stones}
        rows = [*self.kept, *self.rejects]
        if not hashes:
            return 0
        table = pa.table({name: [row.get(name) for row in rows] for name in COLUMNS})
        names = {row.get(name, "") for row in rows for name in ("key", "source_sha256")}
        target = target_of_names(table, {name for name in names if name and text_sha256(name) in hashes})
        gone = {id(row) for row, goes in zip(rows, target.rows, strict=True) if goes}
        scrubber = Scrubber(target.keys, target.names)
        self.kept, self.rejects = ([row for row in part if id(row) not in gone] for part in (self.kept, self.rejects))
        for row in (*self.kept, *self.rejects) if gone else ():
            row["detail"] = scrubber.text(row.get("detail", ""))
            row |= {name: "" if row.get(name) in target.keys else row.get(name, "") for name in NAMING}
        return len(gone)

    def once(self) -> int:
        """Drop rows that an earlier dataset has too: the same person of the same photo in the same picture."""
        before = len(self.kept) + len(self.rejects)
        self.kept = _first(self.kept, _sample_id)
        keys, people = {row["key"] for row in self.kept}, {_person_id(row) for row in self.kept}
        others = [row for row in self.rejects if row["reason"] == "exact_duplicate" or row.get("key") not in keys]
        self.rejects = _first([row for row in others if _person_id(row) not in people], _reject_id)
        return before - len(self.kept) - len(self.rejects)

    def settle_duplicates(self, settings: Config) -> int:
        """Throw out what shows the same as a better sample; rejects name the one that is kept."""
        mark_duplicates(self.kept, settings)
        gone = [row for row in self.kept if row["decision"] != "kept"]
        self.kept = [row for row in self.kept if row["decision"] == "kept"]
        stands_for = {row["key"]: row["duplicate_of"] for row in gone if row["key"] != row["duplicate_of"]}
        for row in (*self.kept, *self.rejects):
            of = row.get("duplicate_of", "")
            row["duplicate_of"] = stands_for.get(of, of)
        self.rejects += [without_storage(row) | {"split": ""} for row in gone]
        return len(gone)

    def join_splits(self) -> int:
        """Bring linked samples to one side; the number of those that moved."""
        groups = components(self.kept)
        in_train = np.array([row["split"] == "train" for row in self.kept], bool)
        trained = np.bincount(groups, in_train) > 0 if len(groups) else np.zeros(0, bool)
        moving = np.flatnonzero(trained[groups] & ~in_train)
        for number in moving:
            self.kept[number]["split"] = "train"
        return len(moving)

    def sorted(self) -> tuple[list[Fields], list[Fields]]:
        """(kept by key, rejects by photo and person), with the sizes of the jsons as they will be."""
        self._of_key = {row["key"]: self._origin[id(row)] for row in self.kept}
        for row in self.kept:
            row["json_size"] = len(encoded(row))
        return sorted(self.kept, key=lambda row: str(row["key"])), sorted(self.rejects, key=_place)

    def members(self, row: Fields) -> dict[str, bytes]:
        """Encoded members of a kept row."""
        return self._of_key[row["key"]].folded.members(row)


def _sample_id(row: Fields) -> tuple[Any, ...]:
    return row["key"], *_person_id(row)


def _person_id(row: Fields) -> tuple[Any, ...]:
    return row["source_path"], row.get("source_sha256", ""), row.get("person_index", -1)


def _reject_id(row: Fields) -> tuple[Any, ...]:
    return *_person_id(row), row["reason"], row.get("key", "")


def _place(row: Fields) -> tuple[Any, ...]:
    return *_reject_id(row | {"source_path": row["source_path"].encode()}), row.get("detail", "")


def _first(rows: Iterable[Fields], name: Callable[[Fields], tuple[Any, ...]]) -> list[Fields]:
    """The first row of each name."""
    found: dict[tuple[Any, ...], Fields] = {}
    for row in rows:
        found.setdefault(name(row), row)
    return list(found.values())
