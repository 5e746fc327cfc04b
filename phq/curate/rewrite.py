"""Tables and shards written anew without some of their rows, a piece at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from phq.dataset.overlays import STORAGE
from phq.dataset.reader import Dataset
from phq.dataset.tables import ROWS_PER_GROUP
from phq.dataset.tar import MEMBERS, ShardWriter
from phq.system.atomic import atomic_write

Places = dict[str, dict[str, Any]]
"""Storage columns by key."""
Edit = Callable[[pa.Table, int], pa.Table]
"""Rows, and the number of the first of them in the file, to what becomes of them."""


def rewrite_table(source: Path, target: Path, edit: Edit, notes: Mapping[str, str] | None = None) -> None:
    """Write a parquet file of the dataset anew; the groups of rows are again full, so the old ones leave no trace.

    Args:
        source: the file as it is; at most two groups of rows are in memory.
        target: where to write. edit: keeps the columns and their types.
        notes: metadata in place of the old one.

    Raises:
        OutputError: see `phq.system.atomic.output_errors`.
    """
    with source.open("rb") as stream:
        file = pq.ParquetFile(stream)
        schema = file.schema_arrow if notes is None else file.schema_arrow.with_metadata(dict(notes))
        with atomic_write(target) as out, pq.ParquetWriter(out, schema, compression="zstd") as writer:
            for table in _full_groups(_edited(file, edit), schema):
                writer.write_table(table)


def changes_table(source: Path, edit: Edit) -> bool:
    """Whether `rewrite_table` would change the rows of a table."""
    with source.open("rb") as stream:
        file = pq.ParquetFile(stream)
        return any(not edit(table, start).equals(table) for table, start in _batches(file))


def _batches(file: pq.ParquetFile) -> Iterator[tuple[pa.Table, int]]:
    start = 0
    for number in range(file.num_row_groups):
        table = file.read_row_group(number)
        yield table, start
        start += len(table)


def _edited(file: pq.ParquetFile, edit: Edit) -> Iterator[pa.Table]:
    yield from (edit(table, start) for table, start in _batches(file))


def _full_groups(tables: Iterator[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    rest = schema.empty_table()
    for table in tables:
        rest = pa.concat_tables([rest, table.replace_schema_metadata(schema.metadata)])
        while len(rest) >= ROWS_PER_GROUP:
            yield rest.slice(0, ROWS_PER_GROUP).combine_chunks()
            rest = rest.slice(ROWS_PER_GROUP)
    if len(rest):
        yield rest.combine_chunks()


def moved(table: pa.Table, places: Mapping[str, Mapping[str, Any]]) -> pa.Table:
    """The rows with the new storage columns of those whose bytes have moved."""
    keys = table["key"].to_pylist()
    if not any(key in places for key in keys):
        return table
    for name in STORAGE:
        index = table.schema.get_field_index(name)
        old = table.column(index).to_pylist()
        new = [places[key][name] if key in places else value for key, value in zip(keys, old, strict=True)]
        table = table.set_column(index, table.schema.field(index), pa.array(new, table.schema.field(index).type))
    return table


def write_shard(path: Path, name: str, samples: Dataset) -> Places:
    """Write a shard of stored samples, byte for byte what they were.

    Args:
        path: where it grows. name: path of the shard inside the dataset. samples: in order.

    Raises:
        InputError: a member is not where the manifest says.
    """
    places: Places = {}
    with ShardWriter(path) as shard:
        for item in samples:
            stored = shard.add(item.key, {member: item.read(member) for member in MEMBERS})
            places[item.key] = {"shard": name}
            for member, (offset, size) in stored.items():
                places[item.key] |= {f"{MEMBERS[member]}_offset": offset, f"{MEMBERS[member]}_size": size}
    return places
