"""The first directory of a TIFF, read by hand: what kind of TIFF it is, and how long the file ought to be."""

from __future__ import annotations

import struct
from dataclasses import dataclass

WIDTH, HEIGHT = 256, 257
DNG_VERSION = 50706
NEW_SUBFILE_TYPE = 254

_DATA_TAGS = ((273, 279), (324, 325))
"""Offsets and byte counts of strips, and of tiles (TIFF 6.0 §8, §15)."""

_TYPE_SIZE = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8,
}  # fmt: skip
_INTEGER = {3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}

_MOST_VALUES = 1 << 20


@dataclass(frozen=True)
class Field:
    """Where the values of one tag are."""

    type: int
    count: int
    offset: int

    @property
    def end(self) -> int:
        """Offset behind the last value."""
        return self.offset + self.count * _TYPE_SIZE.get(self.type, 1)


@dataclass(frozen=True)
class Directory:
    """Tags of the first picture; `end` is the offset behind the directory itself."""

    order: str
    fields: dict[int, Field]
    end: int


def read_directory(data: bytes) -> Directory:
    """Read as much of the first directory as the file holds (TIFF 6.0 §2, BigTIFF); never raises."""
    order = "<" if data[:2] == b"II" else ">"
    big = b"+" in data[2:4]
    start_at, count_at, entry, inline = ("8xQ", "Q", "HHQ", 8) if big else ("4xI", "H", "HHI", 4)
    fields: dict[int, Field] = {}
    at = 16
    try:
        at = struct.unpack_from(order + start_at, data)[0]
        count = struct.unpack_from(order + count_at, data, at)[0]
        at += struct.calcsize(count_at)
        for _ in range(min(count, 65535)):
            tag, kind, n = struct.unpack_from(order + entry, data, at)
            value_at = at + 4 + inline
            if n * _TYPE_SIZE.get(kind, 1) > inline:
                value_at = struct.unpack_from(order + ("Q" if big else "I"), data, value_at)[0]
            fields[tag] = Field(kind, n, value_at)
            at += 4 + 2 * inline
    except struct.error:
        at = max(at, len(data)) + 1  # the directory goes on behind the end of the file
    return Directory(order, fields, at)


def _integers(data: bytes, directory: Directory, tag: int) -> tuple[int, ...]:
    field = directory.fields.get(tag)
    if field is None or field.type not in _INTEGER or field.end > len(data) or field.count > _MOST_VALUES:
        return ()
    return struct.unpack_from(f"{directory.order}{field.count}{_INTEGER[field.type]}", data, field.offset)


def promised_end(data: bytes) -> int:
    """Offset behind the last byte that the first directory speaks of: itself, its values, the pixel data."""
    directory = read_directory(data)
    ends = [directory.end, *(field.end for field in directory.fields.values())]
    for offsets, counts in _DATA_TAGS:
        pairs = zip(_integers(data, directory, offsets), _integers(data, directory, counts), strict=False)
        ends += [offset + count for offset, count in pairs]
    return max(ends)


def is_sane(data: bytes) -> bool:
    """True if the directory states a size and all it speaks of is there: only its kind can be strange."""
    return {WIDTH, HEIGHT} <= read_directory(data).fields.keys() and promised_end(data) <= len(data)
