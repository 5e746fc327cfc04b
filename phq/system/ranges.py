"""Byte ranges of some columns of a remote Parquet file, so that they can be fetched concurrently."""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_GAP = 64 << 10
"""Ranges that are closer than this are fetched as one: so many bytes cost less than a request."""


class Parts(io.RawIOBase):
    """A file of which only some ranges were fetched; reading any other byte is an error.

    Args:
        starts: first byte of each range, ascending.
        parts: their bytes.
        size: bytes of the whole file.
    """

    def __init__(self, starts: Sequence[int], parts: Sequence[bytes], size: int) -> None:
        self._starts, self._parts, self._size = starts, parts, size
        self._position = 0

    def readable(self) -> bool:
        """Always true."""
        return True

    def seekable(self) -> bool:
        """Always true."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position and return it."""
        self._position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Bytes from the position on.

        Raises:
            OSError: they were not fetched.
        """
        number = bisect_right(self._starts, self._position) - 1
        begin = self._position - self._starts[number] if number >= 0 else -1
        if size < 0 or begin < 0 or begin + size > len(self._parts[number]):
            raise OSError(f"{size} bytes at {self._position} were not fetched")
        self._position += size
        return self._parts[number][begin : begin + size]


def column_ranges(metadata: pq.FileMetaData, columns: Sequence[str], groups: Sequence[int]) -> list[tuple[int, int]]:
    """(start, end) of the bytes of some columns in some row groups, ascending; close ranges are joined."""
    wanted = set(columns)
    ranges: list[tuple[int, int]] = []
    for group in map(metadata.row_group, groups):
        for column in map(group.column, range(group.num_columns)):
            if column.path_in_schema.split(".", 1)[0] in wanted:
                start = min(column.dictionary_page_offset or column.data_page_offset, column.data_page_offset)
                ranges.append((start, start + column.total_compressed_size))
    joined: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if joined and start - joined[-1][1] < _GAP:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
