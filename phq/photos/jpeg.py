"""Is a JPEG all there? The decoder itself is silent about a picture whose data ends before its last block."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

_MARKER = re.compile(rb"\xff[\x02-\xcf\xd9-\xfe]")
"""A marker with a length, or the end of image (ITU-T T.81 table B.1); stuffed zeros and restarts are data."""

_END = 0xD9
_SCAN = 0xDA
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_NO_FRAME = (0xC4, 0xC8, 0xCC)

_RESTART = re.compile(rb"\xff[\xd0-\xd7]")

_BITS = bytes(range(0xB5, 0x15, -3))
"""No marker among them, and a one first: where data is missing libjpeg reads zeros, which is another code."""


@dataclass(frozen=True)
class Scan:
    """One scan of a JPEG (ITU-T T.81 §B.2.3)."""

    components: tuple[int, ...]
    first: int
    """First coefficient it brings, in zigzag order."""
    last: int
    shift: int
    """Low bits of the coefficients that are left to later scans; 0 = full precision."""
    end: int
    """Offset of the marker that ends the scan's data."""


@dataclass(frozen=True)
class Layout:
    """Frame and scans of a JPEG up to its end-of-image marker."""

    progressive: bool
    components: tuple[int, ...]
    scans: tuple[Scan, ...]
    has_end: bool


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, offset of what follows its length, and offset behind it (behind the data, for a scan)."""
    at = 2
    while found := _MARKER.search(data, at):
        start = found.start()
        marker = data[start + 1]
        if marker == _END:
            yield marker, start, start + 2
            return
        at = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
        if marker == _SCAN:
            behind = _MARKER.search(data, at)
            at = behind.start() if behind else len(data)
        yield marker, start + 4, at


def _read_scan(data: bytes, start: int, end: int, progressive: bool) -> Scan | None:
    header = data[start:end]
    n = header[0] if header else 0
    if len(header) < 4 + 2 * n:
        return None
    first, last, precision = header[1 + 2 * n : 4 + 2 * n]
    if not progressive:  # decoders ignore these fields, and some encoders fill them with nonsense
        first, last, precision = 0, 63, 0
    return Scan(tuple(header[1 : 1 + 2 * n : 2]), first, last, precision & 15, end)


def read_layout(data: bytes) -> Layout:
    """Walk the segments of a JPEG; never raises, whatever the bytes."""
    progressive, has_end = False, False
    components: tuple[int, ...] = ()
    scans: list[Scan] = []
    for marker, start, end in _segments(data):
        has_end = marker == _END
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME:
            progressive = marker in _PROGRESSIVE
            components = tuple(data[start + 6 : end : 3])
        elif marker == _SCAN and (scan := _read_scan(data, start, end, progressive)):
            scans.append(scan)
    return Layout(progressive, components, tuple(scans), has_end)


def lacks_scans(layout: Layout) -> bool:
    """True if no scan brings some coefficient of some component to full precision."""
    full = {c: np.zeros(64, bool) for c in layout.components}
    for scan in layout.scans:
        for c in scan.components:
            if c in full and scan.shift == 0:
                full[c][scan.first : scan.last + 1] = True
    return not all(seen.all() for seen in full.values())


def _more(scan_data: bytes) -> bytes:
    """Data that would continue a scan if it were unfinished, in and beyond its last restart interval."""
    expected = 0
    for restart in _RESTART.finditer(scan_data):
        expected = (restart.group()[1] - 0xD0 + 1) % 8
    return _BITS + bytes((0xFF, 0xD0 + expected)) + _BITS


def _differ(one: Image.Image, other: Image.Image) -> bool:
    """Compare pixels in bands, so that large photos are not held twice more."""
    bands = [(0, y, one.width, min(y + 256, one.height)) for y in range(0, one.height, 256)]
    return any(one.crop(band).tobytes() != other.crop(band).tobytes() for band in bands)


def lacks_blocks(data: bytes, layout: Layout, decoded: Image.Image) -> bool:
    """True if the decoder ran out of data before the last block of a scan, and filled up without an error.

    The proof is that data put behind that of the scan changes the picture: behind a complete scan decoders
    skip it on their way to the next marker. It costs a second decoding, a few milliseconds a megapixel.
    """
    parts, at = [], 0
    for scan in layout.scans:
        scan_data = data[at : scan.end]
        parts += [scan_data, _more(scan_data)]
        at = scan.end
    with Image.open(io.BytesIO(b"".join([*parts, data[at:]])), formats=["JPEG"]) as longer:
        return _differ(longer, decoded)


def is_cut(data: bytes, decoded: Image.Image) -> bool:
    """True if a JPEG that decoded without complaint nevertheless lacks a part of its picture.

    `decoded` is the picture as Pillow gives it, before any conversion.
    """
    layout = read_layout(data)
    return not layout.has_end or lacks_scans(layout) or lacks_blocks(data, layout, decoded)
