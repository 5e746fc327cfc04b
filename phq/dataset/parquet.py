"""A Parquet file of the dataset, of which columns and row groups are read on demand."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from phq.dataset.root import Root
from phq.errors import InputError
from phq.schema import SCHEMA_VERSION
from phq.system.ranges import Parts, column_ranges
from phq.system.retrying import retried

_PARTS_KEPT = 4
"""Columns of row groups kept for taking rows that are nearly in order."""
_GROUPS_KEPT = 64
"""Row groups (4,096 rows each) kept for reading single rows: at most about 1 GB, where an overlay has all columns."""


class ParquetTable:
    """A table of the dataset that is closed between reads: safe after a fork, and picklable.

    Args:
        root: the dataset.
        name: path of the file inside the dataset.

    Raises:
        InputError: the file is missing or damaged, was not written by phq, or has another version of the format.
    """

    def __init__(self, root: Root, name: str) -> None:
        self.root = root
        self.name = name
        self._check()
        self._caches()

    def _caches(self) -> None:
        self._group = lru_cache(_GROUPS_KEPT)(self._read_group)
        self._part = lru_cache(_PARTS_KEPT)(self._read_part)

    def __getstate__(self) -> dict[str, Any]:
        return {"root": self.root, "name": self.name}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._caches()

    @cached_property
    def _footer(self) -> tuple[pq.FileMetaData, int]:
        """The file's metadata, and its size."""
        try:
            return retried(f"{self.name} of {self.root.where}", self._read_footer)
        except pa.ArrowInvalid as error:
            raise InputError(f"{self.name} of {self.root.where} is damaged: {error}") from error

    def _read_footer(self) -> tuple[pq.FileMetaData, int]:
        with self.root.open(self.name) as stream:
            return pq.read_metadata(stream), stream.seek(0, os.SEEK_END)

    @property
    def _metadata(self) -> pq.FileMetaData:
        return self._footer[0]

    @cached_property
    def schema(self) -> pa.Schema:
        """Names, types and descriptions of the columns."""
        return self._metadata.schema.to_arrow_schema()

    @property
    def names(self) -> list[str]:
        """Names of the columns, in order."""
        return list(self.schema.names)

    @property
    def notes(self) -> dict[str, str]:
        """Metadata of the table as a whole."""
        return {key.decode(): value.decode() for key, value in (self.schema.metadata or {}).items()}

    def __len__(self) -> int:
        return int(self._metadata.num_rows)

    def _check(self) -> None:
        version = self.notes.get("schema_version", "")
        if not version:
            raise InputError(f"{self.name} of {self.root.where} was not written by phq")
        if version != SCHEMA_VERSION:
            raise InputError(
                f"{self.name} of {self.root.where} has the format {version!r}, and this phq reads {SCHEMA_VERSION!r}: "
                "install the version of phq that it was made with, or a newer one"
            )

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Columns by name, all if none are named; nothing else is read or downloaded.

        Raises:
            InputError: the file cannot be read.
        """
        return self._read(list(columns) if columns is not None else self.names, None)

    def groups(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Columns by name, a group of rows at a time.

        Raises:
            InputError: the file cannot be read.
        """
        return (self._read(list(columns), group) for group in range(self._metadata.num_row_groups))

    def take(self, columns: Sequence[str], numbers: NDArray[np.int32]) -> pa.Table:
        """Columns of rows by number, of which groups near each other are read once.

        Args:
            columns: names.
            numbers: (n,) −1 for a row of nulls.

        Raises:
            InputError: the file cannot be read.
        """
        ends = np.array(self._ends, np.int64)
        sizes, group = np.diff(ends, prepend=0), np.searchsorted(ends, np.maximum(numbers, 0), side="right")
        needed = np.unique(group[numbers >= 0])
        schema = pa.schema([self.schema.field(name) for name in columns]).remove_metadata()
        if not len(needed):
            return schema.empty_table().take(pa.nulls(len(numbers), pa.int64()))
        parts = pa.concat_tables([self._part(tuple(columns), number) for number in needed.tolist()])
        place = np.minimum(np.searchsorted(needed, group), len(needed) - 1)
        moved = np.cumsum(sizes[needed])[place] - ends[group]
        return parts.take(pa.array(numbers + moved, mask=numbers < 0))

    def row(self, number: int) -> dict[str, Any]:
        """One row; its row group is kept for the next one."""
        group = bisect_right(self._ends, number)
        start = self._ends[group - 1] if group else 0
        row: dict[str, Any] = self._group(group).slice(number - start, 1).to_pylist()[0]
        return row

    @cached_property
    def _ends(self) -> list[int]:
        groups = range(self._metadata.num_row_groups)
        return list(accumulate(self._metadata.row_group(i).num_rows for i in groups))

    def _read_part(self, columns: tuple[str, ...], group: int) -> pa.Table:
        return self._read(list(columns), group).replace_schema_metadata(None)

    def _read_group(self, group: int) -> pa.Table:
        return self._read(self.names, group)

    def _read(self, columns: list[str], group: int | None) -> pa.Table:
        groups = range(self._metadata.num_row_groups) if group is None else [group]
        try:
            with self._open(columns, groups) as stream:
                # A thread of Arrow that releases a Python stream while the interpreter ends aborts the process
                # (apache/arrow issue 34314), so only this thread reads.
                file = pq.ParquetFile(stream, metadata=self._metadata, pre_buffer=False)
                return file.read_row_groups(groups, columns, use_threads=False)
        except (pa.ArrowInvalid, OSError) as error:
            raise InputError(f"{self.name} of {self.root.where} is damaged: {error}") from error

    def _open(self, columns: list[str], groups: Sequence[int]) -> BinaryIO | Parts:
        if self.root.local is not None:
            return self.root.open(self.name)
        ranges = column_ranges(self._metadata, columns, groups)
        return Parts([start for start, _ in ranges], self.root.read_ranges(self.name, ranges), self._footer[1])
