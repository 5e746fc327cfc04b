"""The rows of several datasets, merged into one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from phq.config.build import Config
from phq.curate.merge_sources import Source
from phq.curate.redaction_target import COLUMNS, target_of_names
from phq.curate.revision import encoded
from phq.dataset.scrub import Scrubber
from phq.dataset.tables import rows_table, without_storage
from phq.dataset.tombstones import Tombstone, text_sha256
from phq.decisions.likeness import LIKENESS, compact, find_likeness
from phq.decisions.split_groups import LINKS, linked_rows, sides_of
from phq.schema import GROUPS, Fields


class Rows:
    """All rows, kept and rejected; the methods change them and are called in their order here."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.kept = [row for source in sources for row in source.kept]
        self.rejects = [row for source in sources for row in source.rejects]
        self._origin = {id(row): source for source in sources for row in source.kept}
        self._of_key: dict[str, Source] = {}

    def drop_redacted(self, tombstones: Sequence[Tombstone]) -> int:
        """Leave out what any dataset has redacted, and remove its names from the other rows' texts."""
        hashes = {tombstone.key_sha256 for tombstone in tombstones}
        rows = [*self.kept, *self.rejects]
        if not hashes:
            return 0
        table = rows_table(rows, COLUMNS)
        names = {row.get(name, "") for row in rows for name in ("key", "source_sha256")}
        target = target_of_names(table, {name for name in names if name and text_sha256(name) in hashes})
        gone = {id(row) for row, goes in zip(rows, target.rows, strict=True) if goes}
        scrubber = Scrubber(target.keys, target.names)
        self.kept, self.rejects = ([row for row in part if id(row) not in gone] for part in (self.kept, self.rejects))
        for row in (*self.kept, *self.rejects) if gone else ():
            row["detail"] = scrubber.text(row.get("detail", ""))
            row |= {name: "" if row.get(name) in target.keys else row.get(name, "") for name in GROUPS}
        return len(gone)

    def drop_repeated(self) -> int:
        """Drop rows that an earlier dataset has too: the same person of the same photo in the same picture."""
        before = len(self.kept) + len(self.rejects)
        self.kept = _first(self.kept, _sample_id)
        keys, people = {row["key"] for row in self.kept}, {_person_id(row) for row in self.kept}
        others = [row for row in self.rejects if row["reason"] == "exact_duplicate" or row.get("key") not in keys]
        self.rejects = _first([row for row in others if _person_id(row) not in people], _reject_id)
        return before - len(self.kept) - len(self.rejects)

    def drop_duplicates(self, settings: Config) -> int:
        """Reject each sample that shows the same as a better one; rejects name the one that is kept."""
        likeness = compact(rows_table(self.kept, LIKENESS))
        for number, fields in find_likeness(likeness, settings).by_row(likeness, settings).items():
            self.kept[number] |= fields
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
        label = linked_rows(rows_table(self.kept, LINKS)).label
        names, sides = sides_of(label, rows_table(self.kept, ["split"])["split"])
        train = names.index("train") if "train" in names else -1
        moving = [row for row, side in zip(self.kept, sides[label].tolist(), strict=True)
                  if side == train and row["split"] != "train"]  # fmt: skip
        for row in moving:
            row["split"] = "train"
        return len(moving)

    def sorted(self) -> tuple[list[Fields], list[Fields]]:
        """(kept by key, rejects by photo and person), with the sizes of the jsons as they will be."""
        self._of_key = {row["key"]: self._origin[id(row)] for row in self.kept}
        for row in self.kept:
            row["json_size"] = len(encoded(row))
        return sorted(self.kept, key=lambda row: str(row["key"])), sorted(self.rejects, key=_place)

    def members(self, row: Fields) -> dict[str, bytes]:
        """Encoded members of a kept row."""
        return self._of_key[row["key"]].revision.members(row)


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
