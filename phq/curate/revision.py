"""A revision of a dataset: the rows and members of the new dataset that it becomes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from phq.curate.migrations import Migration, migrated
from phq.dataset.folder import MANIFEST, REJECTS
from phq.dataset.keys import KeyIndex, Keys, key_array
from phq.dataset.overlays import apply_overlays, names_up_to, overlay_file
from phq.dataset.places import COLUMNS, Places
from phq.dataset.reader import check_dataset
from phq.dataset.root import Root
from phq.dataset.run import read_run
from phq.dataset.stored_rows import column_batches
from phq.dataset.tar import MEMBERS, STORAGE
from phq.dataset.write import Fetch
from phq.errors import InputError
from phq.schema import DECISION, Fields, Row, Sample, make_sample, sample_to_json
from phq.system.bars import bar
from phq.system.columns_on_disk import batches
from phq.system.sizes import check_room, say_size

_TOGETHER = 1024
"""Rows in memory at a time."""
_GROUPS_KEPT = 4
"""Row groups of an overlay that are kept: its rows are in the order of the manifest's."""


class Revision:
    """A dataset with some of its overlays applied; its tables may be of any version of the format.

    In memory are keys and places, some 150 bytes a row; rows pass a group at a time.

    Raises:
        InputError: this is not a dataset, or it has no such revision.
    """

    def __init__(self, root: Root, name: str | None, migrations: Sequence[Migration]) -> None:
        check_dataset(root)
        self.run = read_run(root)
        """Content of ``run.json``."""
        self.names = names_up_to(self.run, name)
        """Overlays of the revision, bottom to top."""
        self._where = root.where
        self.overlays = [_Overlay(root, each) for each in self.names]
        self.migrations = migrations
        self.steps: Counter[str] = Counter()
        """Records by the name of the migration they went through."""
        self.manifest = _Groups(root, MANIFEST)
        self.rejected = _Groups(root, REJECTS)
        self._places = Places(root, self.manifest.columns(COLUMNS))
        self._index = KeyIndex(self._places.keys)

    def abouts(self) -> list[dict[str, Any]]:
        """The record of each overlay."""
        return [overlay.table.about() for overlay in self.overlays]

    def parts(self) -> Iterator[list[Fields]]:
        """Rows of the manifest in order, some at a time; those that overlays reject among them."""
        for table in self.manifest.groups():
            for part in batches(self._known(table), _TOGETHER):
                rows = map(self._migrated, part.to_pylist())
                yield [row if row["decision"] == "kept" else row | {"split": ""} for row in rows]

    def rejects(self) -> Iterator[Fields]:
        """Rows that were rejects before; an overlay may change them, but none has a picture that could be kept."""
        for table in self.rejected.groups():
            # where an image is stored and was rejected again as a copy, an overlay is about the stored one
            stored = self._index.find_all(self._keys(table)) >= 0
            masked = pc.if_else(pa.array(stored), pa.scalar(None, pa.string()), table["key"])
            index = table.schema.get_field_index("key")
            decisions = table.select(["key", *DECISION]).to_pylist()
            folded = self._known(table.set_column(index, "key", masked)).to_pylist()
            for now, before in zip(folded, decisions, strict=True):
                row = now | (before if now["decision"] == "kept" else {"key": before["key"]})
                yield self._migrated(without_places({k: v for k, v in row.items() if v is not None}))

    def _known(self, table: pa.Table) -> pa.Table:
        """With overlays applied, without the columns that only an overlay has; `extra` has them."""
        keys = self._keys(table)
        table = apply_overlays(table, [overlay.rows(keys) for overlay in self.overlays])
        stored = {*self.manifest.schema.names, *Row.model_fields}
        return table.select([name for name in table.column_names if name in stored])

    def _keys(self, table: pa.Table) -> Keys:
        return key_array(table["key"], self._where)

    def _migrated(self, row: Fields) -> Fields:
        row, steps = migrated(row, self.migrations)
        self.steps.update(steps)
        return row

    def members(self, key: str, json: bytes) -> dict[str, bytes]:
        """Picture and mask of a sample as they are stored, and its new json."""
        number = self._index.find(key)
        return {name: json if name == "json" else self._places.read(number, name) for name in MEMBERS}

    def extra(self, overlay: _Overlay) -> list[str]:
        """The columns of an overlay that are its own."""
        stored = {*self.manifest.schema.names, *Row.model_fields}
        return [name for name in overlay.table.schema.names if name not in stored]


def without_places(row: Fields) -> Fields:
    """The row without its storage columns."""
    return {name: value for name, value in row.items() if name not in STORAGE}


@contextmanager
def fetching(out: Path, kept: Sequence[Fields], fetch: Fetch, desc: str, quiet: bool) -> Iterator[Fetch]:
    """Say how much will be written, and show how many samples have been.

    Args:
        out: folder of the new dataset.
        kept: rows of its samples, with the sizes of their members.
        fetch: gives the members of a row; called once a sample.
        desc: what is done, in a word.
        quiet: show nothing.

    Yields:
        `fetch`, counted.

    Raises:
        OutputError: the disk has no room for them.
    """
    sizes = [f"{prefix}_size" for prefix in MEMBERS.values()]
    size = sum(pc.sum(column).as_py() or 0 for some in column_batches(kept, sizes) for column in some.columns)
    say_size(f"writing {len(kept)} samples to {out}", size, quiet)
    check_room(out, size)
    with bar(total=len(kept), unit="sample", desc=desc, quiet=quiet) as shown:

        def counted(row: Fields) -> Mapping[str, bytes]:
            shown.update()
            return fetch(row)

        yield counted


def encoded(row: Fields) -> bytes:
    """The json member of a row."""
    return sample_to_json(make_sample({name: row[name] for name in Sample.model_fields}))


class _Groups:
    """A table of any version of the format, read a group of rows at a time."""

    def __init__(self, root: Root, name: str) -> None:
        self._root, self._name = root, name
        with self._open() as file:
            self.schema = file.schema_arrow
        if b"schema_version" not in (self.schema.metadata or {}):
            raise InputError(f"{name} of {root.where} was not written by phq")

    @contextmanager
    def _open(self) -> Iterator[pq.ParquetFile]:
        with self._root.open(self._name) as stream:
            try:
                file = pq.ParquetFile(stream)
            except pa.ArrowInvalid as error:
                raise self._damaged(error) from error
            yield file

    def _damaged(self, error: Exception) -> InputError:
        return InputError(f"{self._name} of {self._root.where} is damaged: {error}")

    def about(self) -> dict[str, Any]:
        """How it was made."""
        about: dict[str, Any] = json.loads((self.schema.metadata or {}).get(b"about", b"{}"))
        return about

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Whole columns."""
        with self._open() as file:
            try:
                return file.read(list(names), use_threads=False)
            except (pa.ArrowInvalid, OSError) as error:
                raise self._damaged(error) from error

    def groups(self, names: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """All rows in order, all columns if none are named."""
        with self._open() as file:
            for number in range(file.num_row_groups):
                yield self._group(file, number, names)

    def group(self, number: int) -> pa.Table:
        """All columns of one group."""
        with self._open() as file:
            return self._group(file, number, None)

    def sizes(self) -> list[int]:
        """Rows of each group."""
        with self._open() as file:
            return [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]

    def _group(self, file: pq.ParquetFile, number: int, names: Sequence[str] | None) -> pa.Table:
        try:
            return file.read_row_group(number, list(names) if names is not None else None, use_threads=False)
        except (pa.ArrowInvalid, OSError) as error:
            raise self._damaged(error) from error


class _Overlay:
    """An overlay, of which only the keys are in memory."""

    def __init__(self, root: Root, name: str) -> None:
        self._where = root.where
        self.table = _Groups(root, overlay_file(name))
        self._index = KeyIndex(key_array(self.table.columns(["key"])["key"], root.where))
        self._ends = np.cumsum(self.table.sizes(), dtype=np.int64)
        self._group = lru_cache(_GROUPS_KEPT)(self.table.group)

    def rows(self, keys: Keys) -> pa.Table:
        """Those of some keys."""
        numbers = np.unique(self._index.find_all(keys))
        numbers = numbers[numbers >= 0]
        group = np.searchsorted(self._ends, numbers, side="right")
        firsts = np.append(0, self._ends)
        parts = [self.table.schema.empty_table()]
        parts += [self._group(n).take(numbers[group == n] - firsts[n]) for n in np.unique(group).tolist()]
        return pa.concat_tables(parts)

    def chosen(self, names: Sequence[str], keys: KeyIndex) -> Iterator[Fields]:
        """``key`` and columns of its rows of some keys."""
        for table in self.table.groups(["key", *names]):
            there = keys.find_all(key_array(table["key"], self._where)) >= 0
            yield from table.filter(pa.array(there)).to_pylist()
