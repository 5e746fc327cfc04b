"""Is a file complete? What each container states about its own length, for truncated files.

The decoders refuse nearly every cut file by themselves; this module gives the refusal its right name, and
finds the files whose end is there but empty. `phq.photos.jpeg` looks deeper into the format that needs it.
"""

from __future__ import annotations

from collections.abc import Iterator

from phq.photos import tiff
from phq.photos.jpeg_layout import read_layout

ZERO_TAIL = 1024
"""Bytes; an interrupted copy onto preallocated space ends in zeros, compressed pictures not for so long."""


def _riff_end(data: bytes) -> int:
    """Stated end of a RIFF file."""
    return int.from_bytes(data[4:8], "little") + 8


def _iso_boxes(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Type and end of each top-level box (ISO/IEC 14496-12 §4.2)."""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        if 0 < size < 8:  # smaller than its own header: not a box
            return
        at = at + size if size else len(data)
        yield kind, at


def _iso_end(data: bytes) -> int:
    """Offset at which the last box ends; beyond the file if the box of the media data is not there at all."""
    boxes = list(_iso_boxes(data))
    end = boxes[-1][1] if boxes else 0
    return end if b"mdat" in dict(boxes) and end >= len(data) else len(data) + 1


_PROMISED_END = {
    "WEBP": _riff_end,
    "BMP": lambda data: max(26, int.from_bytes(data[2:6], "little")),  # the smallest header
    "TIFF": tiff.promised_end,
    "HEIF": _iso_end,
    "AVIF": _iso_end,
}


def ends_early(kind: str, data: bytes) -> bool:
    """True if a file of format `kind` (a name of `phq.photos.formats`) is shorter than its stated length."""
    if kind == "JPEG":
        return not read_layout(data).has_end
    if kind == "PNG":
        return b"IEND" not in data[-1024:]
    if kind == "GIF":
        return not data.rstrip(b"\0").endswith(b";")
    return _PROMISED_END[kind](data) > len(data)


def has_empty_tail(kind: str, data: bytes) -> bool:
    """True if a compressed picture without checksums ends in nothing but zeros: an interrupted copy."""
    if kind == "WEBP":
        data = data[: _riff_end(data)]
    elif kind in ("HEIF", "AVIF"):
        if [box for box, _ in _iso_boxes(data)][-1:] in ([b"free"], [b"skip"]):  # padding, zeros by right
            return False
    else:
        return False
    return len(data) > ZERO_TAIL and not any(data[-ZERO_TAIL:])
