"""Is a JPEG all there? The decoder itself is silent about a picture whose data ends before its last block."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from phq.errors import RejectError
from phq.photos import jpeg_blocks

_MARKER = re.compile(rb"\xff+[\x02-\xcf\xd8-\xfe]")
"""A marker with a length, the end of image, or the start of another one, with any fill bytes before it
(ITU-T T.81 §B.1.1.2, table B.1); stuffed zeros and restarts are data."""

_START, _END = 0xD8, 0xD9
_SCAN, _LINES = 0xDA, 0xDC
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_FRAMES = {*range(0xC0, 0xD0), 0xDE, 0xF7} - {0xC4, 0xC8, 0xCC}
_READ_FRAMES = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)
"""Sequential and progressive, by Huffman or arithmetic coding."""

_RESTART = re.compile(rb"\xff[\xd0-\xd7]")

_BITS = bytes(range(0xB5, 0x15, -3))
"""No marker among them, and a one first: where data is missing libjpeg reads zeros, which is another code."""


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


def refuse_kinds(layout: Layout) -> None:
    """Refuse the processes of ITU-T T.81 that decoders of photos leave out.

    Raises:
        RejectError: unsupported_format.
    """
    frame = layout.frame
    if frame.marker not in _READ_FRAMES:
        kinds = {0xC3: "a lossless JPEG", 0xCB: "a lossless JPEG", 0xF7: "JPEG-LS"}
        raise RejectError("unsupported_format", kinds.get(frame.marker, "a hierarchical JPEG"))
    if frame.precision != 8:
        raise RejectError("unsupported_format", f"a JPEG of {frame.precision} bits a sample")
    if len(frame.components) not in (0, 1, 3, 4):
        raise RejectError("unsupported_format", f"a JPEG of {len(frame.components)} components")


def mended(data: bytes, layout: Layout) -> bytes:
    """`data` as decoders want it: with an end marker behind its last scan, and the height in the frame.

    What makers of panoramas put behind a picture without an end marker is left out. A file that lacks a whole scan
    stays as it is.
    """
    frame = layout.frame
    if not layout.has_end and (n := _scans_needed(layout)):
        data = data[: layout.scans[n - 1].end] + b"\xff\xd9"
    if frame.height_at:
        data = data[: frame.height_at] + struct.pack(">H", frame.height) + data[frame.height_at + 2 :]
    return data


def _scans_needed(layout: Layout) -> int:
    """Number of scans after which every coefficient of every component is there to full precision; 0 if never."""
    full = {c: np.zeros(64, bool) for c, *_ in layout.frame.components}
    for number, scan in enumerate(layout.scans, 1):
        for c in scan.components:
            if c in full and scan.shift == 0:
                full[c][scan.first : scan.last + 1] = True
        if full and all(seen.all() for seen in full.values()):
            return number
    return 0


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

    Args:
        data: the file, not mended.
        decoded: the mended file as Pillow gives it, before any conversion.
    """
    layout = read_layout(data)
    if not _scans_needed(layout):
        return True
    whole = mended(data, layout)
    if lacks_blocks(whole, read_layout(whole), decoded):
        return True
    return not layout.has_end and not jpeg_blocks.are_all_there(data, layout, _scans_needed(layout))
