"""``manifest.parquet`` and ``rejects.parquet``: one Arrow schema, made from `phq.schema.Row`.

Lists are plain ``list<element: double>``, not fixed-size ones, although every list has a fixed length: Arrow
15, the oldest supported, refuses to write a fixed-size list with a null in it ("Lists with non-zero length
null components are not supported"), and a reject has nulls for all that was not computed.
DuckDB sees ``DOUBLE[]`` either way, and Polars and Hugging Face ``datasets`` read both. The length is in the
metadata of the field and is checked when a row is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from phq.dataset.tar import STORAGE
from phq.schema import SCHEMA_VERSION, Fields, Row, column_kind, plain
from phq.system.atomic import atomic_write

ROWS_PER_GROUP = 4096
_SCALARS = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
_ACCEPTED: dict[type, set[type]] = {str: {str}, int: {int}, float: {float, int}, bool: {bool}}
_NONE = type(None)


def _arrow_field(name: str) -> pa.Field:
    kind, length = column_kind(name)
    notes = {"description": Row.model_fields[name].description or ""}
    if not length:
        return pa.field(name, _SCALARS[kind], metadata=notes)
    numbers = pa.list_(pa.field("element", _SCALARS[kind]))
    return pa.field(name, numbers, metadata=notes | {"length": str(length)})


@cache
def arrow_schema() -> pa.Schema:
    """Columns of both tables, in the order of `Row`, each with its description as metadata."""
    fields = [_arrow_field(name) for name in Row.model_fields]
    return pa.schema(fields, metadata={"schema_version": SCHEMA_VERSION})


def _check_names(row: Mapping[str, Any], complete: bool) -> None:
    if row.keys() == Row.model_fields.keys() and not (complete and _NONE in set(map(type, row.values()))):
        return
    unknown = sorted(row.keys() - Row.model_fields.keys())
    missing = [name for name in Row.model_fields if complete and row.get(name) is None]
    if missing:
        raise ValueError(f"row {row.get('key', '?')} has no field {', '.join(missing)}")
    if unknown:
        raise ValueError(f"row {row.get('key', '?')} has the unknown field {', '.join(unknown)}")


def _fits(values: Sequence[Any], kind: type, length: int) -> bool:
    """Whether all values are of a type and length, or None."""
    # Arrow itself would take a list of another length, and cut a float to fit an integer column
    if not length:
        return set(map(type, values)) <= {*_ACCEPTED[kind], _NONE}
    lists = [value for value in values if value is not None]
    if not (set(map(type, lists)) <= {list} and set(map(len, lists)) <= {length}):
        return False
    return set(map(type, chain.from_iterable(lists))) <= _ACCEPTED[kind]


def checked_column(field: pa.Field, values: Sequence[Any]) -> pa.Array:
    """Column of a field of `Row`.

    Raises:
        ValueError: a value is of another type or length.
    """
    kind, length = column_kind(field.name)
    if not _fits(values, kind, length):
        wrong = next(value for value in values if not _fits([value], kind, length))
        expected = f"{length} × {kind.__name__}" if length else kind.__name__
        raise ValueError(f"field {field.name} is {wrong!r}, expected {expected}")
    return pa.array(values, field.type)


def row_tables(
    rows: Iterable[Mapping[str, Any]], *, complete: bool, group: int = ROWS_PER_GROUP, stored: bool = False
) -> Iterator[pa.Table]:
    """Rows in memory as checked tables of `arrow_schema`, some at a time.

    Args:
        rows: see `write_table`.
        complete: see `write_table`.
        group: rows of a table.
        stored: the values were read from a json or a table of phq, so that they are flat and rounded.

    Raises:
        ValueError: see `write_table`.
    """
    rest, schema = iter(rows), arrow_schema()
    while batch := list(islice(rest, group)):
        for row in batch:
            _check_names(row, complete)
        plain_rows = batch if stored else [plain(dict(row)) for row in batch]
        columns = [checked_column(field, [row.get(field.name) for row in plain_rows]) for field in schema]
        yield pa.Table.from_arrays(columns, schema=schema)


def rows_table(rows: Iterable[Mapping[str, Any]], names: Sequence[str]) -> pa.Table:
    """Some columns of rows in memory; null where a row has no such field."""
    schema = pa.schema([arrow_schema().field(name) for name in names])
    return pa.Table.from_pylist([{name: row.get(name) for name in names} for row in rows], schema)


def take_rows(table: pa.Table, rows: Any) -> pa.Table:
    """Rows by number, in that order, in one piece."""
    return table.take(pa.array(np.asarray(rows, np.int64))).combine_chunks()


def write_table(path: Path, rows: Iterable[Mapping[str, Any]], *, complete: bool) -> None:
    """Write rows atomically; the same rows give the same bytes, no rows an empty table of the right schema.

    Args:
        path: a parquet file.
        rows: fields of `phq.schema.Row`; arrays are flattened and floats rounded as in the json.
        complete: every row must have every field (the manifest); otherwise what is missing becomes null.

    Raises:
        ValueError: a field is missing, unknown, of the wrong type or length; the message names it.
        OutputError: see `phq.system.atomic.output_errors`.
    """
    with atomic_write(path) as stream:
        write_rows(stream, rows, complete=complete)


def write_rows(
    stream: BinaryIO,
    rows: Iterable[Mapping[str, Any]],
    *,
    complete: bool,
    notes: Mapping[str, str] | None = None,
    group: int = ROWS_PER_GROUP,
) -> None:
    """`write_table` into an open file, which is whole when this returns; for its `rows`, `complete` and errors.

    Args:
        stream: the file.
        notes: further metadata.
        group: rows in memory at a time, which make a group of rows in the file.
    """
    write_tables(stream, row_tables(rows, complete=complete, group=group), notes, group)


def write_tables(
    stream: BinaryIO,
    tables: Iterable[pa.Table],
    notes: Mapping[str, str] | None = None,
    group: int = ROWS_PER_GROUP,
) -> None:
    """Write tables of `arrow_schema` into an open file: the same rows give the same bytes, however they come.

    Args:
        stream: the file.
        tables: with all columns.
        notes: further metadata.
        group: rows of a group.
    """
    schema = arrow_schema()
    write_groups(stream, tables, schema.with_metadata({**schema.metadata, **(notes or {})}), group)


def write_groups(stream: BinaryIO, tables: Iterable[pa.Table], schema: pa.Schema, group: int = ROWS_PER_GROUP) -> None:
    """Write tables of any schema as groups of rows that are full but for the last."""
    with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        rest = schema.empty_table()
        for table in tables:
            some = pa.Table.from_arrays(table.columns, schema=schema)
            rest = pa.concat_tables([rest, some]) if len(rest) else some  # what comes in one piece stays in one
            while len(rest) >= group:
                writer.write_table(rest.slice(0, group).combine_chunks())
                rest = rest.slice(group)
        if len(rest):
            writer.write_table(rest.combine_chunks())


class Rows(Sequence[Mapping[str, Any]]):
    """A table as a sequence of dictionaries, each created on access."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __getitem__(self, index: Any) -> Any:
        return self.table.slice(index, 1).to_pylist()[0]

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        for batch in self.table.to_batches(max_chunksize=ROWS_PER_GROUP):
            yield from batch.to_pylist()


def read_table(path: Path) -> pa.Table:
    """The whole table, with descriptions in the metadata of its fields.

    Raises:
        OSError: no such file.
        pyarrow.ArrowInvalid: not a parquet file.
    """
    with path.open("rb") as stream:  # by name, Arrow opens only what is UTF-8
        # with threads a process may abort at its end (apache/arrow issue 34314)
        return pq.read_table(stream, use_threads=False, pre_buffer=False)


def read_rows(tables: Iterable[Path]) -> list[Fields]:
    """Rows of several tables, in order; fields that were never computed are absent."""
    rows = (row for path in tables for row in read_table(path).to_pylist())
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def without_storage(row: Mapping[str, Any]) -> Fields:
    """The row of a sample that has no stored bytes."""
    return {name: value for name, value in row.items() if name not in STORAGE} | {"shard": ""}
