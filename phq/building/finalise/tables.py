"""The manifest and the rejects of a dataset of any size, streamed group by group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from phq.dataset.tables import ROWS_PER_GROUP, arrow_schema
from phq.errors import OutputError

Source = Iterator[pa.Table]
"""Tables of one schema, one after the other."""


def rows_of(paths: Iterable[Path]) -> Source:
    """Rows of several tables in order, a group at a time.

    Raises:
        OutputError: a table cannot be read, is damaged, or another version of phq has written it.
    """
    for path in paths:
        try:
            yield from _groups(path)
        except (pa.ArrowException, OSError) as error:
            raise OutputError(f"{path} is damaged or cannot be read: {error}") from error


def _groups(path: Path) -> Source:
    with path.open("rb") as stream:
        file = pq.ParquetFile(stream)
        if file.schema_arrow.names != arrow_schema().names:
            raise OutputError(f"{path} has other columns than this version of phq writes")
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, use_threads=False)


def merged(sources: Sequence[Source], turn: NDArray[np.int8]) -> Iterator[pa.Table]:
    """Rows of several sources, as they take turns.

    Args:
        turn: (N,) for each row of the result the number of the source that it comes from.
    """
    readers = [_Reader(source) for source in sources]
    for start in range(0, len(turn), ROWS_PER_GROUP):
        whose = turn[start : start + ROWS_PER_GROUP]
        counts = np.bincount(whose, minlength=len(readers))
        parts = pa.concat_tables([reader.take(int(n)) for reader, n in zip(readers, counts, strict=True)])
        place = np.empty(len(whose), np.int64)
        place[np.argsort(whose, kind="stable")] = np.arange(len(whose))
        yield parts.take(pa.array(place)).combine_chunks()


class _Reader:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._rest = arrow_schema().empty_table()

    def take(self, count: int) -> pa.Table:
        """The next so many rows."""
        parts, have = [self._rest], len(self._rest)
        while have < count:
            table = next(self._source)
            parts.append(pa.Table.from_arrays(table.columns, schema=arrow_schema()))
            have += len(table)
        whole = pa.concat_tables(parts)
        self._rest = whole.slice(count)
        return whole.slice(0, count)
