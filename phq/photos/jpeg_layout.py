"""Frame, scans and segments of a JPEG, found by its markers."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

_MARKER = re.compile(rb"\xff\xff*[\x02-\xcf\xd8-\xfe]")
"""A marker with a length, the end of image, or the start of another one, with any fill bytes before it
(ITU-T T.81 §B.1.1.2, table B.1); stuffed zeros and restarts are data. A pattern that starts with a byte is searched for
ten times as fast as one that starts with a repetition."""

_START, _END = 0xD8, 0xD9
_SCAN, _LINES = 0xDA, 0xDC
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_FRAMES = {*range(0xC0, 0xD0), 0xDE, 0xF7} - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True)
class Segment:
    """A marker with what belongs to it."""

    marker: int
    start: int
    """Offset behind the length."""
    body: int
    """Offset behind the segment, for a scan that of its data."""
    end: int
    """Offset of what follows: for a scan the next marker, with its fill bytes."""


@dataclass(frozen=True)
class Scan:
    """One scan of a JPEG (ITU-T T.81 §B.2.3)."""

    components: tuple[int, ...]
    tables: tuple[int, ...]
    """Of each component: number of its DC table times 16, plus that of its AC table."""
    first: int
    """First coefficient it brings, in zigzag order."""
    last: int
    previous: int
    """Low bits left by the scan before it on the same coefficients; 0 = none was."""
    shift: int
    """Low bits of the coefficients that are left to later scans; 0 = full precision."""
    start: int
    """Offset of the data."""
    end: int
    """Offset of the marker that ends the data."""


@dataclass(frozen=True)
class Frame:
    """What the frame header states (ITU-T T.81 §B.2.2)."""

    marker: int = 0xC0
    precision: int = 8
    height: int = 0
    """Where it is 0, that of the DNL segment (§B.2.5)."""
    height_at: int = 0
    """Offset of the height."""
    width: int = 0
    components: tuple[tuple[int, int, int, int], ...] = ()
    """Identifier, horizontal and vertical sampling factor, number of the quantisation table."""

    @property
    def progressive(self) -> bool:
        """Whether scans refine each other."""
        return self.marker in _PROGRESSIVE


@dataclass(frozen=True)
class Layout:
    """Frame and scans of a JPEG up to its end-of-image marker, or to where its picture is all there."""

    frame: Frame
    scans: tuple[Scan, ...]
    segments: tuple[Segment, ...]
    has_end: bool


def _segments(data: bytes) -> Iterator[Segment]:
    at = 2
    while found := _MARKER.search(data, at):
        marker, at = found.group()[-1], found.end()
        if marker in (_END, _START):
            yield Segment(marker, at, at, at)
            return
        start, body = at + 2, at + int.from_bytes(data[at : at + 2], "big")
        at = max(body, start)
        if marker == _SCAN:
            behind = _MARKER.search(data, at)
            at = behind.start() if behind else len(data)
        yield Segment(marker, start, body, at)


def _read_frame(data: bytes, segment: Segment) -> Frame:
    header = data[segment.start : segment.body]
    if len(header) < 6:
        return Frame(segment.marker)
    precision, height, width = struct.unpack_from(">BHH", header)
    parts = tuple(
        (header[i], header[i + 1] >> 4, header[i + 1] & 15, header[i + 2]) for i in range(6, len(header) - 2, 3)
    )
    return Frame(segment.marker, precision, height, segment.start + 1, width, parts)


def _read_scan(data: bytes, segment: Segment, progressive: bool) -> Scan | None:
    header = data[segment.start : segment.body]
    n = header[0] if header else 0
    if len(header) < 4 + 2 * n:
        return None
    first, last, precision = header[1 + 2 * n : 4 + 2 * n]
    if not progressive:  # decoders ignore these fields, and some encoders fill them with nonsense
        first, last, precision = 0, 63, 0
    ids, tables = tuple(header[1 : 1 + 2 * n : 2]), tuple(header[2 : 2 + 2 * n : 2])
    return Scan(ids, tables, first, last, precision >> 4, precision & 15, segment.body, segment.end)


def read_layout(data: bytes) -> Layout:
    """Walk the segments of a JPEG; never raises, whatever the bytes."""
    frame, lines, has_end = Frame(), 0, False
    scans: list[Scan] = []
    segments: list[Segment] = []
    for segment in _segments(data):
        segments.append(segment)
        has_end = segment.marker == _END
        if segment.marker in _FRAMES and not scans:
            frame = _read_frame(data, segment)
        elif segment.marker == _LINES:
            lines = int.from_bytes(data[segment.start : segment.body], "big")
        elif segment.marker == _SCAN and (scan := _read_scan(data, segment, frame.progressive)):
            scans.append(scan)
    if lines and not frame.height:
        frame = replace(frame, height=lines)
    return Layout(frame, tuple(scans), tuple(segments), has_end)
