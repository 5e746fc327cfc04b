"""Rows put in another order on the disk, when the new place of each is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import ipc

from phq.system.arrays import Ints

BUCKET = 1 << 16
"""Rows that are ordered in memory."""


def ordered(tables: Iterable[tuple[pa.Table, Ints]], count: int, folder: Path) -> Iterator[pa.Table]:
    """Rows by their new place, some at a time.

    They are dealt out to files that each hold consecutive places, and these are ordered one after the other: every row
    is written once and read once, whatever the order.

    Args:
        tables: rows of one schema, and the new place of each.
        count: rows of all of them; their places are 0 to count − 1.
        folder: of the files, made and emptied.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:06d}.arrows" for number in range(-(-count // BUCKET))]
    _deal_out(tables, paths)
    for path in paths:
        with path.open("rb") as stream:
            table = ipc.open_stream(stream).read_all()
        path.unlink()
        rows = np.argsort(table[_PLACE].to_numpy())
        yield table.drop_columns([_PLACE]).take(pa.array(rows)).combine_chunks()


_PLACE = " place"
"""No column of a table has this name."""


def _deal_out(tables: Iterable[tuple[pa.Table, Ints]], paths: list[Path]) -> None:
    with ExitStack() as stack:
        streams = [stack.enter_context(path.open("wb")) for path in paths]
        writers: dict[int, ipc.RecordBatchStreamWriter] = {}
        for table, places in tables:
            placed = table.append_column(_PLACE, pa.array(places))
            bucket = places // BUCKET
            for number in np.unique(bucket).tolist():
                if number not in writers:
                    writers[number] = stack.enter_context(ipc.new_stream(streams[number], placed.schema))
                writers[number].write_table(placed.take(pa.array(np.flatnonzero(bucket == number))))
