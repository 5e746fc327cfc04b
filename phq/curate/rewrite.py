"""Tables written again without some of their rows, a piece at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from phq.dataset.tables import write_groups
from phq.dataset.tar import STORAGE
from phq.schema import Fields
from phq.system.atomic import atomic_write

Storage = dict[str, Fields]
"""Storage columns by key."""
Edit = Callable[[pa.Table, int], pa.Table]
"""Takes rows and the number of the first of them in the file, and returns their new content."""


def rewrite_table(source: Path, target: Path, edit: Edit, notes: Mapping[str, str] | None = None) -> None:
    """Write a parquet file of the dataset again; the groups of rows are full again, so the old ones leave no trace.

    Args:
        source: the file as it is; at most two groups of rows are in memory.
        target: where to write.
        edit: keeps the columns and their types.
        notes: metadata in place of the old one.

    Raises:
        OutputError: see `phq.system.atomic.output_errors`.
    """
    with source.open("rb") as stream:
        file = pq.ParquetFile(stream)
        schema = file.schema_arrow if notes is None else file.schema_arrow.with_metadata(dict(notes))
        with atomic_write(target) as out:
            write_groups(out, (edit(table, start) for table, start in _batches(file)), schema)


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


def moved(table: pa.Table, storage: Storage) -> pa.Table:
    """The rows with the new storage columns of those whose bytes have moved."""
    keys = table["key"].to_pylist()
    if not any(key in storage for key in keys):
        return table
    for name in STORAGE:
        index = table.schema.get_field_index(name)
        old = table.column(index).to_pylist()
        new = [storage[key][name] if key in storage else value for key, value in zip(keys, old, strict=True)]
        table = table.set_column(index, table.schema.field(index), pa.array(new, table.schema.field(index).type))
    return table
