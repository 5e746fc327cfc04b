"""The rows of several datasets, merged into one: columns on the disk, and which of them stay."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from phq.config.build import Config
from phq.curate.jsons import Jsons
from phq.curate.merge_names import joined, with_columns
from phq.curate.merge_sources import CHANGED, Part, Source, Sources
from phq.curate.redaction_target import COLUMNS, target_of_names
from phq.dataset.folder import SPLITS
from phq.dataset.keys import KeyIndex, key_array
from phq.dataset.scrub import Scrubber
from phq.dataset.stored_rows import ChosenRows, StoredRows
from phq.dataset.tables import arrow_schema, without_storage
from phq.dataset.tombstones import Tombstone, text_sha256
from phq.decisions.decision import marked
from phq.decisions.likeness import Likeness, compared_schema, find_likeness
from phq.decisions.numbered import key_numbers, numbered
from phq.decisions.split_groups import LINKS, linked_rows, sides_of
from phq.schema import CONSENT, DECISION, GROUPS, Fields
from phq.system.arrays import Bools, Ints
from phq.system.columns_on_disk import ColumnsOnDisk, batches


class Rows:
    """All rows, kept and rejected; the methods change them and are called in their order here.

    In memory are some 200 bytes a row.
    """

    def __init__(self, sources: Sources, scratch: Path) -> None:
        self._sources, self._scratch = sources, scratch
        self._kept, self._rejects = sources.parts()
        self._stay = [np.ones(len(part.rows), bool) for part in sources.parts()]
        self._jsons = Jsons(scratch / "jsons")
        self._thrown_out = np.empty(0, np.int64)
        """Rows of the part that was kept which are duplicates of others."""

    def drop_redacted(self, tombstones: Sequence[Tombstone]) -> int:
        """Leave out what any dataset has redacted, and remove its names from the other rows' texts."""
        hashes = {tombstone.key_sha256 for tombstone in tombstones}
        if not hashes:
            return 0
        table = pa.table({name: joined(self._sources, name) for name in COLUMNS})
        target = target_of_names(table, _hashed(table, hashes))
        self._stay = list(np.split(~target.rows, [len(self._kept.rows)]))
        if target.rows.any():
            edit = partial(_scrubbed, Scrubber(target.keys, target.names))
            for part in self._sources.parts():
                part.change(edit)
        return int(target.rows.sum())

    def drop_repeated(self) -> int:
        """Drop rows that an earlier dataset has too: the same person of the same photo in the same picture."""
        before = sum(int(stay.sum()) for stay in self._stay)
        kept, rejects = self._stay
        both, count = np.concatenate(self._stay), len(kept)
        key = numbered(joined(self._sources, "key"))
        person = _same([numbered(joined(self._sources, name)) for name in ("source_path", "source_sha256")]
                       + [joined(self._sources, "person_index").fill_null(-1).to_numpy()])  # fmt: skip
        self._state_consent(person)
        kept &= _first(_same([key[:count], person[:count]]), kept)
        both[:count] = kept
        reason = numbered(self._rejects.table["reason"])
        copies = np.asarray(pc.equal(pc.fill_null(self._rejects.table["reason"], ""), "exact_duplicate"))
        rejects &= copies | ~np.isin(key[count:], key[:count][kept])
        rejects &= ~np.isin(person[count:], person[:count][kept])
        rejects &= _first(_same([person[count:], reason, key[count:]]), rejects)
        return before - sum(int(stay.sum()) for stay in self._stay)

    def _state_consent(self, person: Ints) -> None:
        """Of what is stated of one person of a photo, the least consent: no dataset takes back what another refuses."""
        stated = joined(self._sources, "consent").fill_null("")
        names = list(CONSENT)
        level = np.asarray(pc.index_in(stated, value_set=pa.array(names)), np.int64)  # in CONSENT's order, yes first
        said = np.flatnonzero(level != names.index(""))
        least = np.full(int(person.max(initial=0)) + 1, -1, np.int64)
        np.maximum.at(least, person[said], level[said])
        lower = (least[person] >= 0) & (least[person] != level)
        values, start = pa.array(names).take(pa.array(np.maximum(least[person], 0))), len(self._kept.rows)
        for part, here in ((self._kept, slice(None, start)), (self._rejects, slice(start, None))):
            part.change(partial(_consenting, values.take(np.arange(len(values))[here]), lower[here]))

    def drop_duplicates(self, settings: Config) -> int:
        """Reject each sample that shows the same as a better one; rejects name the one that is kept."""
        compared = np.flatnonzero(self._stay[0])
        likeness = self._likeness(compared)
        alike = find_likeness(likeness, settings)
        place = np.full(len(self._kept.rows), -1, np.int64)
        place[compared] = np.arange(len(compared))
        self._kept.change(partial(_marked, place, alike, alike.touched(), likeness, settings))
        decided = np.asarray(pc.equal(self._kept.table["decision"], "kept"))
        self._thrown_out = np.flatnonzero(self._stay[0] & ~decided)
        self._stay[0] &= decided
        gone = self._kept.table.select(["key", "duplicate_of"]).take(pa.array(self._thrown_out)).to_pylist()
        stands_for = {row["key"]: row["duplicate_of"] for row in gone if row["key"] != row["duplicate_of"]}
        for part, stay in zip(self._sources.parts(), self._stay, strict=True):
            part.change(partial(_standing_for, stands_for, stay))
        return len(gone)

    def _likeness(self, rows: Ints) -> pa.Table:
        """What samples are compared by, of some that are kept, with their names as they are now."""
        chosen = ColumnsOnDisk(self._scratch / "compared", compared_schema())
        table, now = self._sources.likeness.table(), self._kept.table.select(["source_path", "person_index"])
        for start in range(0, len(rows), _TOGETHER):
            some = pa.array(rows[start : start + _TOGETHER])
            chosen.append(with_columns(table.take(some), **dict(zip(now.column_names, now.take(some), strict=True))))
        return chosen.table()

    def join_splits(self) -> int:
        """Bring linked samples to one side; the number of those that moved."""
        rows = np.flatnonzero(self._stay[0])
        links = ColumnsOnDisk(self._scratch / "links", pa.schema([arrow_schema().field(name) for name in LINKS]))
        for table in self._chosen(self._kept, rows).batches(LINKS):
            links.append(table)
        label, splits = linked_rows(links.table()).label, self._kept.table["split"].take(pa.array(rows))
        names, sides = sides_of(label, splits)
        train = names.index(SPLITS[0]) if SPLITS[0] in names else -1
        moving = rows[(sides[label] == train) & np.asarray(pc.not_equal(splits, SPLITS[0]))]
        self._kept.change(partial(_moved, moving))
        return len(moving)

    def sorted(self) -> tuple[ChosenRows, ChosenRows]:
        """(kept by key, rejects by photo and person), with the sizes of the jsons as they will be."""
        rows = np.flatnonzero(self._stay[0])
        rows = rows[np.argsort(key_numbers(self._kept.table["key"].take(pa.array(rows))), kind="stable")]
        self._index = KeyIndex(key_array(self._kept.table["key"].take(pa.array(rows)), "the merged dataset"))
        self._source = self._kept.source[rows]
        sizes, stay = np.zeros(len(self._kept.rows), np.int64), iter(self._chosen(self._kept, rows))
        for start in range(0, len(rows), _ENCODED):
            some = rows[start : start + _ENCODED]
            sizes[some] = self._jsons.add(list(islice(stay, len(some))))
        self._kept.change(partial(_sized, sizes))
        return self._chosen(self._kept, rows), self._sorted_rejects()

    def _sorted_rejects(self) -> ChosenRows:
        """Rejects of all datasets, and those that repeat others."""
        rows = StoredRows(self._scratch / "rejected", (*_PLACE, *DECISION))
        rows.extend(self._chosen(self._rejects, np.flatnonzero(self._stay[1])))
        rows.extend(without_storage(row) | {"split": ""} for row in self._chosen(self._kept, self._thrown_out))
        table = rows.table()
        places = {name: pc.fill_null(table[name], -1 if name == "person_index" else "") for name in _PLACE}
        order = pc.sort_indices(pa.table(places), sort_keys=[(name, "ascending") for name in _PLACE])
        return ChosenRows(rows, np.asarray(order, np.int64), table, ())

    @staticmethod
    def _chosen(part: Part, rows: Ints) -> ChosenRows:
        return ChosenRows(part.rows, rows, part.table, (*CHANGED, "json_size"))

    def photos(self) -> int:
        """Different photos of the rows that stay and of those that repeat them."""
        stay = np.concatenate(self._stay)
        stay[self._thrown_out] = True
        return len(np.unique(numbered(joined(self._sources, "source_path"))[stay]))

    def members(self, row: Fields) -> dict[str, bytes]:
        """Encoded members of a kept row."""
        source: Source = self._sources.all[self._source[self._index.find(row["key"])]]
        return source.revision.members(row["key"], self._jsons.read(row["key"]))


_TOGETHER = 1 << 14
"""Rows in memory at a time, some columns of them."""
_ENCODED = 1 << 10
"""Rows in memory at a time, all of them."""
_PLACE = ("source_path", "source_sha256", "person_index", "reason", "key", "detail")
"""What rejects are ordered by."""


def _hashed(table: pa.Table, hashes: set[str]) -> set[str]:
    """Keys and hashes of photos that have one of these hashes themselves."""
    names = (name for some in batches(table) for part in ("key", "source_sha256") for name in some[part].to_pylist())
    return {name for name in names if name and text_sha256(name) in hashes}


def _scrubbed(scrubber: Scrubber, table: pa.Table, start: int) -> pa.Table:
    details = [scrubber.text(text or "") for text in table["detail"].to_pylist()]
    keys = pa.array(sorted(scrubber.keys), table["key"].type)
    groups = {name: pc.fill_null(table[name], "") for name in GROUPS}
    groups = {name: pc.if_else(pc.is_in(column, value_set=keys), "", column) for name, column in groups.items()}
    return with_columns(table, detail=pa.array(details, pa.string()), **groups)


def _same(columns: Sequence[Ints]) -> Ints:
    """(N,) the same number where all of the columns are equal."""
    order, numbers = np.lexsort(tuple(columns)), np.zeros(len(columns[0]), np.int64)
    new = np.any([column[order[1:]] != column[order[:-1]] for column in columns], axis=0)
    numbers[order[1:]] = np.cumsum(new)
    return numbers


def _first(numbers: Ints, among: Bools) -> Bools:
    """(N,) which are the first of their number among some."""
    rows, first = np.flatnonzero(among), np.zeros(len(numbers), bool)
    first[rows[np.unique(numbers[rows], return_index=True)[1]]] = True
    return first


def _consenting(values: pa.Array, lower: Bools, table: pa.Table, start: int) -> pa.Table:
    """What is stated of these people elsewhere."""
    here = pa.array(lower[start : start + len(table)])
    return with_columns(table, consent=pc.if_else(here, values.slice(start, len(table)), table["consent"]))


def _marked(
    place: Ints, alike: Likeness, touched: Bools, likeness: pa.Table, settings: Config, table: pa.Table, start: int
) -> pa.Table:
    here = place[start : start + len(table)]
    decisions = marked(table.select(DECISION), here, alike, touched, likeness, settings)
    return with_columns(table, **dict(zip(DECISION, decisions.columns, strict=True)))


def _standing_for(stands_for: dict[str, str], stay: Bools, table: pa.Table, start: int) -> pa.Table:
    """Who names a sample that is rejected now names the one that stands for it."""
    here = stay[start : start + len(table)].tolist()
    named = zip(table["duplicate_of"].to_pylist(), here, strict=True)
    return with_columns(table, duplicate_of=pa.array([stands_for.get(of or "", of or "") if stays else of
                                                      for of, stays in named], pa.string()))  # fmt: skip


def _moved(rows: Ints, table: pa.Table, start: int) -> pa.Table:
    """These rows go to train."""
    moving = np.isin(np.arange(start, start + len(table)), rows)
    return with_columns(table, split=pc.if_else(pa.array(moving), SPLITS[0], table["split"]))


def _sized(sizes: Ints, table: pa.Table, start: int) -> pa.Table:
    return with_columns(table, json_size=pa.array(sizes[start : start + len(table)]))
