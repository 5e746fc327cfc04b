"""A table that grows on the disk, column by column, and is then read where it lies.

Its memory is that of the pages that are being looked at, which the system takes back when it needs them: a table of ten
million rows costs a process no more than one of ten thousand.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

BATCH = 1 << 14
"""Rows of `batches` in memory at a time."""


def numpy_type(kind: pa.DataType) -> np.dtype[Any]:
    """Type of an Arrow type's numbers in numpy; Arrow's own `to_pandas_dtype` fails without pandas up to version 25."""
    found: np.dtype[Any] = pa.array([], kind).to_numpy(zero_copy_only=False).dtype
    return found


class ColumnsOnDisk:
    """Columns of numbers, texts, bytes, and lists of one length, with nulls.

    A text or bytes column comes back with 64-bit offsets, a column of lists as one of fixed length.

    Args:
        folder: made if needed; files of an earlier table of these names are replaced.
        schema: names and types; a list has its length in the metadata of its field, as ``length``.
    """

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.schema = schema
        self._columns = {field.name: _Column(folder, field) for field in schema}
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def append(self, table: pa.Table) -> None:
        """Add rows.

        Raises:
            OSError: the disk is full, or faulty.
        """
        for name, column in self._columns.items():
            column.append(table[name])
        self._rows += len(table)

    def table(self) -> pa.Table:
        """All rows so far, each column in one piece."""
        arrays = {name: column.mapped(self._rows) for name, column in self._columns.items()}
        return pa.table(arrays)


class _Column:
    """The files of one column: its values, where texts end, and which rows have one."""

    def __init__(self, folder: Path, field: pa.Field) -> None:
        self._width = int((field.metadata or {}).get(b"length", 0))
        self._bytes = pa.types.is_string(field.type) or pa.types.is_large_binary(field.type)
        wide = pa.large_binary() if pa.types.is_large_binary(field.type) else pa.large_string()
        self.kind = wide if self._bytes else field.type.value_type if self._width else field.type
        self._paths = {part: folder / f"{field.name}.{part}" for part in ("values", "ends", "valid")}
        self._end = 0
        self._nulls = 0
        for part, path in self._paths.items():
            path.write_bytes(np.zeros(1, np.int64).tobytes() if self._bytes and part == "ends" else b"")

    def append(self, column: pa.ChunkedArray) -> None:
        self._nulls += column.null_count
        valid = np.asarray(pc.is_valid(column))
        self._write("valid", valid.astype(np.uint8).data)
        if self._bytes:
            self._append_bytes(column.cast(self.kind).combine_chunks())
        elif self._width:
            values = np.zeros((len(column), self._width), numpy_type(self.kind))
            values[valid] = np.asarray(pc.list_flatten(column)).reshape(-1, self._width)
            self._write("values", values.data)
        else:
            filled = pc.fill_null(column, pa.scalar(0, column.type)).cast(self.kind)
            self._write("values", np.ascontiguousarray(filled.to_numpy()).data)

    def _write(self, part: str, content: memoryview) -> None:
        # opened anew: a table has more files than some systems let a process keep open
        with self._paths[part].open("ab") as stream:
            stream.write(content)

    def _append_bytes(self, array: pa.Array) -> None:
        array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
        _, offsets, values = array.buffers()
        ends = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1] if len(array) else None
        if ends is None:
            return
        if values is not None:
            self._write("values", memoryview(values)[ends[0] : ends[-1]])
        self._write("ends", (ends[1:] - ends[0] + self._end).data)
        self._end += int(ends[-1] - ends[0])

    def mapped(self, rows: int) -> pa.Array:
        """The rows so far."""
        values = _mapped(self._paths["values"])
        valid = self._valid() if self._nulls else None
        if self._bytes:
            return pa.Array.from_buffers(self.kind, rows, [valid, _mapped(self._paths["ends"]), values], self._nulls)
        if not self._width:
            return pa.Array.from_buffers(self.kind, rows, [valid, values], self._nulls)
        numbers = pa.Array.from_buffers(self.kind, rows * self._width, [None, values])
        return pa.Array.from_buffers(pa.list_(self.kind, self._width), rows, [valid], self._nulls, 0, [numbers])

    def _valid(self) -> pa.Buffer:
        bits = np.packbits(np.fromfile(self._paths["valid"], np.uint8), bitorder="little")
        return pa.py_buffer(bits.tobytes())


def _mapped(path: Path) -> pa.Buffer:
    if not path.stat().st_size:
        return pa.py_buffer(b"")
    with path.open("rb") as stream:
        return pa.py_buffer(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))


def batches(table: pa.Table, rows: int = BATCH) -> Iterator[pa.Table]:
    """Consecutive rows, some at a time."""
    for start in range(0, len(table), rows):
        yield table.slice(start, rows)
