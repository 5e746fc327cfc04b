"""What a HEIF or AVIF container states about its primary picture: colour, turns, Exif.

Boxes are those of ISO/IEC 14496-12 (file format) and 23008-12 (HEIF). Decoders apply some of it and do not say which.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

_SOME_BOXES = 65536
"""More than any photo has; a list without end is an attack."""


@dataclass(frozen=True)
class Box:
    """Type, and where the payload is."""

    kind: bytes
    start: int
    end: int


@dataclass
class Statement:
    """Of the primary picture."""

    nclx: tuple[int, int] | None = None
    """ColourPrimaries and TransferCharacteristics of H.273."""
    turns: list[tuple[bytes, int]] = field(default_factory=list)
    """``irot`` with quarter turns anticlockwise, ``imir`` with its axis, in the order of application."""
    exif: bytes = b""
    """TIFF structure, or nothing."""


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """Boxes side by side between two offsets (ISO/IEC 14496-12 §4.2); `end` of the last may lie behind the file."""
    at, end = start, len(data) if end is None else min(end, len(data))
    for _ in range(_SOME_BOXES):
        if at + 8 > end:
            return
        size, kind = struct.unpack_from(">I4s", data, at)
        header = 8
        if size == 1 and at + 16 <= end:
            size, header = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        if 0 < size < header:  # smaller than its own header: not a box
            return
        stop = at + size if size else end
        yield Box(kind, at + header, stop)
        at = stop


def _inside(data: bytes, parent: Box | None, full: int = 0) -> dict[bytes, Box]:
    """First child of each type; `full` is 4 for a box with version and flags."""
    found: dict[bytes, Box] = {}
    for box in boxes(data, parent.start + full, parent.end) if parent else ():
        found.setdefault(box.kind, box)
    return found


def _integer(data: bytes, at: int, size: int) -> int:
    if at + size > len(data):
        raise ValueError("the container ends early")
    return int.from_bytes(data[at : at + size], "big")


def _associations(data: bytes, ipma: Box) -> dict[int, list[int]]:
    """Numbers of the properties of each item, from 1, in one of the boxes that say so (ISO/IEC 23008-12 §9.3.1)."""
    version, wide = data[ipma.start], data[ipma.start + 3] & 1
    id_size, at, found = (4 if version else 2), ipma.start + 8, {}
    for _ in range(min(_integer(data, ipma.start + 4, 4), _SOME_BOXES)):
        item, n = _integer(data, at, id_size), _integer(data, at + id_size, 1)
        at += id_size + 1
        size = 2 if wide else 1
        mask = 0x7FFF if wide else 0x7F
        found[item] = [_integer(data, at + size * i, size) & mask for i in range(n)]
        at += size * n
    return found


def _references(data: bytes, iref: Box | None) -> list[tuple[bytes, int, list[int]]]:
    """Type, item and the items it refers to (ISO/IEC 14496-12 §8.11.12)."""
    found: list[tuple[bytes, int, list[int]]] = []
    if iref is None:
        return found
    size = 4 if data[iref.start] else 2
    for box in boxes(data, iref.start + 4, iref.end):
        n = _integer(data, box.start + size, 2)
        first = box.start + size + 2
        targets = [_integer(data, first + size * i, size) for i in range(n)]
        found.append((box.kind, _integer(data, box.start, size), targets))
    return found


def _exif_items(data: bytes, iinf: Box | None) -> set[int]:
    """Numbers of the items of type Exif (ISO/IEC 14496-12 §8.11.6)."""
    if iinf is None:
        return set()
    found = set()
    for box in boxes(data, iinf.start + 4 + (4 if data[iinf.start] else 2), iinf.end):
        size = 4 if data[box.start] >= 3 else 2
        if data[box.start + 6 + size : box.start + 10 + size] == b"Exif":
            found.add(_integer(data, box.start + 4, size))
    return found


def _extents(data: bytes, iloc: Box, wanted: int) -> tuple[int, list[tuple[int, int]]]:
    """Construction method of an item, and offset and length of its extents (ISO/IEC 14496-12 §8.11.3)."""
    version, sizes = data[iloc.start], _integer(data, iloc.start + 4, 2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    id_size, at = (4 if version == 2 else 2), iloc.start + 6
    n_items, at = _integer(data, at, id_size), at + id_size
    for _ in range(min(n_items, _SOME_BOXES)):
        item, at = _integer(data, at, id_size), at + id_size
        method, at = (_integer(data, at, 2) & 15, at + 2) if version else (0, at)
        base, at = _integer(data, at + 2, base_size), at + 2 + base_size
        n_extents, at, extents = _integer(data, at, 2), at + 2, []
        for _ in range(n_extents):
            at += index_size if version else 0
            extents.append((base + _integer(data, at, offset_size), _integer(data, at + offset_size, length_size)))
            at += offset_size + length_size
        if item == wanted:
            return method, extents
    return 0, []


def _exif(data: bytes, meta: dict[bytes, Box], primary: int, references: list[tuple[bytes, int, list[int]]]) -> bytes:
    """TIFF structure of the Exif item that describes the primary picture (ISO/IEC 23008-12 annex A.2.1)."""
    described = {item for kind, item, of in references if kind == b"cdsc" and primary in of}
    for item in sorted(_exif_items(data, meta.get(b"iinf")) & described):
        method, extents = _extents(data, meta[b"iloc"], item)
        origin = meta[b"idat"].start if method == 1 else 0
        content = b"".join(data[origin + start : origin + start + size] for start, size in extents)
        return content[4 + int.from_bytes(content[:4], "big") :]
    return b""


def _nclx(data: bytes, properties: list[Box]) -> tuple[int, int] | None:
    for box in properties:
        if box.kind == b"colr" and data[box.start : box.start + 4] == b"nclx":
            return _integer(data, box.start + 4, 2), _integer(data, box.start + 6, 2)
    return None


def _read(data: bytes) -> Statement:
    meta = _inside(data, _inside(data, Box(b"", 0, len(data))).get(b"meta"), full=4)
    pitm, iprp = meta[b"pitm"], _inside(data, meta[b"iprp"])
    primary = _integer(data, pitm.start + 4, 4 if data[pitm.start] else 2)
    listed = list(boxes(data, iprp[b"ipco"].start, iprp[b"ipco"].end))
    numbers: dict[int, list[int]] = {}
    for box in boxes(data, meta[b"iprp"].start, meta[b"iprp"].end):
        numbers |= _associations(data, box) if box.kind == b"ipma" else {}
    references = _references(data, meta.get(b"iref"))

    def properties(item: int) -> list[Box]:
        return [listed[n - 1] for n in numbers.get(item, []) if 0 < n <= len(listed)]

    tiles = [tile for kind, item, of in references if (kind, item) == (b"dimg", primary) for tile in of[:1]]
    masks = {b"irot": 3, b"imir": 1}
    own = properties(primary)
    return Statement(
        _nclx(data, own) or next((nclx for tile in tiles if (nclx := _nclx(data, properties(tile)))), None),
        [(box.kind, data[box.start] & masks[box.kind]) for box in own if box.kind in masks],
        _exif(data, meta, primary, references),
    )


def read_statement(data: bytes) -> Statement | None:
    """What the container states; None where it is damaged. Never raises: the decoder judges the file."""
    try:
        return _read(data)
    except (KeyError, IndexError, ValueError, struct.error):
        return None
