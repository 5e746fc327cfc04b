"""Rows that lie on the disk: some of their fields as columns, and each of them whole."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from phq.dataset.tables import arrow_schema, rows_table
from phq.schema import Fields
from phq.system.arrays import Ints
from phq.system.columns_on_disk import BATCH, ColumnsOnDisk, batches

_ROW = " row"
"""No field has this name."""
_TOGETHER = 1024
"""Rows that are added at a time."""


class StoredRows(Sequence[Fields]):
    """Rows that can be added to; nothing of them stays in memory.

    Args:
        folder: of the files, made if needed.
        names: fields of `phq.schema.Row` that `table` gives; no list and no truth value.
    """

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        known, self._names = arrow_schema(), list(dict.fromkeys(names))
        fields = [known.field(name) for name in self._names]
        self._columns = ColumnsOnDisk(folder, pa.schema([*fields, pa.field(_ROW, pa.large_binary())]))
        self._whole: pa.Table | None = None
        """All columns."""
        self._pickled: pa.ChunkedArray | None = None

    def extend(self, rows: Iterable[Fields]) -> None:
        """Add rows."""
        rest = iter(rows)
        while some := list(islice(rest, _TOGETHER)):
            whole = pa.array([pickle.dumps(row) for row in some], pa.large_binary())
            self._columns.append(rows_table(some, self._names).append_column(_ROW, whole))
        self._whole = self._pickled = None

    def table(self) -> pa.Table:
        """The columns, null where a row has no such field."""
        if self._whole is None:
            self._whole = self._columns.table()
        return self._whole.select(self._names)

    def batches(self, names: Sequence[str]) -> Iterator[pa.Table]:
        """Columns, some rows at a time."""
        return batches(self.table().select(list(names)))

    def __len__(self) -> int:
        return len(self._columns)

    def __getitem__(self, number: Any) -> Any:
        if self._pickled is None:
            self._whole = self._columns.table()
            self._pickled = self._whole[_ROW]
        return pickle.loads(self._pickled[number].as_py())


def column_batches(rows: Sequence[Fields], names: Sequence[str]) -> Iterator[pa.Table]:
    """Some fields of rows, which may be in memory or not, as columns; some rows at a time.

    Args:
        rows: any, or those with a method `batches` of its own.
        names: fields.
    """
    own = getattr(rows, "batches", None)
    if own is not None:
        yield from own(names)
        return
    for start in range(0, len(rows), BATCH):
        yield rows_table(rows[start : start + BATCH], names)


class ChosenRows(Sequence[Fields]):
    """Some of the rows of `StoredRows`, in any order, with some fields in place of the stored ones.

    Args:
        rows: stored.
        numbers: (n,) of them.
        columns: of all of `rows`: those fields that replace the stored ones, and others that `batches` gives.
        changed: names of those that replace; null leaves none.
    """

    def __init__(self, rows: StoredRows, numbers: Ints, columns: pa.Table, changed: Sequence[str]) -> None:
        self._rows, self._numbers, self._columns = rows, numbers, columns
        self._changed = columns.select(list(changed))
        self._named = list(zip(self._changed.column_names, self._changed.columns, strict=True))

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, number: Any) -> Any:
        place = int(self._numbers[number])
        return self._with(place, {name: column[place].as_py() for name, column in self._named})

    def __iter__(self) -> Iterator[Fields]:
        for start in range(0, len(self), _TOGETHER):
            places = self._numbers[start : start + _TOGETHER]
            # without columns, Arrow forgets how many rows there are
            named = self._changed.take(pa.array(places)).to_pylist() if self._named else []
            changed = named or [{}] * len(places)
            for place, fields in zip(places.tolist(), changed, strict=True):
                yield self._with(place, fields)

    def _with(self, place: int, fields: Fields) -> Fields:
        row: Fields = self._rows[place]
        for name, value in fields.items():
            if value is None:
                row.pop(name, None)
            else:
                row[name] = value
        return row

    def batches(self, names: Sequence[str]) -> Iterator[pa.Table]:
        """Columns, some rows at a time."""
        for start in range(0, len(self), BATCH):
            yield self._columns.select(list(names)).take(pa.array(np.asarray(self._numbers[start : start + BATCH])))
