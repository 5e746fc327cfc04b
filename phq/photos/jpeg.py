"""Is a JPEG all there? The decoder itself is silent about a picture whose data ends before its last block."""

from __future__ import annotations

import io
import re
import struct

import numpy as np
from PIL import Image, ImageChops

from phq.errors import RejectError
from phq.photos import jpeg_blocks
from phq.photos.jpeg_layout import Layout, read_layout

_READ_FRAMES = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)
"""Sequential and progressive, by Huffman or arithmetic coding."""

_RESTART = re.compile(rb"\xff[\xd0-\xd7]")

_BAND = 64
"""Rows that are compared at once."""

_BITS = bytes(range(0xB5, 0x15, -3))
"""No marker among them, and a one first: where data is missing libjpeg reads zeros, which is another code."""


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
    height = struct.pack(">H", frame.height)
    if frame.height_at and data[frame.height_at : frame.height_at + 2] != height:
        data = data[: frame.height_at] + height + data[frame.height_at + 2 :]
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
    """Compare pixels in bands, so that large photos are not held twice more, and those of a band stay in the cache."""
    bands = [(0, y, one.width, min(y + _BAND, one.height)) for y in range(0, one.height, _BAND)]
    return any(ImageChops.difference(one.crop(band), other.crop(band)).getbbox() is not None for band in bands)


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


def is_cut(data: bytes, layout: Layout, decoded: Image.Image) -> bool:
    """True if a JPEG that decoded without complaint nevertheless lacks a part of its picture.

    Args:
        data: the file, not mended.
        layout: of these data.
        decoded: the mended file as Pillow gives it, before any conversion.
    """
    if not _scans_needed(layout):
        return True
    whole = mended(data, layout)
    if lacks_blocks(whole, layout if whole is data else read_layout(whole), decoded):
        return True
    if layout.has_end:
        return False
    return not jpeg_blocks.are_all_there(data, layout, _scans_needed(layout))
