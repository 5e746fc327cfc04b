"""One picture of eight colours, in files that state their colour space by numbers and not by a profile."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from encoded_pictures import encoded
from PIL import ExifTags, Image

COLOURS = (
    (200, 60, 40), (40, 160, 70), (50, 60, 200), (128, 128, 128),
    (12, 9, 20), (250, 240, 200), (225, 170, 140), (90, 60, 45),
)  # fmt: skip
"""As the file has them; the last two are skin."""

_TABLE = """
Display P3: 217 42 23 0 163 56 47 60 208 128 128 128 13 9 21 252 240 195 235 167 135 95 58 42
Display P3, curve of BT.709: 223 62 44 0 172 74 63 76 214 140 140 140 27 21 37 252 241 202 238 176 146 109 74 58
Display P3, 2.2: 219 37 13 0 164 53 43 58 209 129 129 129 4 2 13 252 240 197 236 169 136 95 56 37
BT.2020: 252 12 44 0 178 70 9 74 215 140 140 140 28 21 37 255 241 201 255 171 146 119 71 58
BT.709: 206 75 56 56 169 85 66 75 206 140 140 140 26 22 36 251 242 206 228 179 151 104 75 61
SMPTE 170M: 201 80 55 68 167 84 70 80 206 140 140 140 26 22 36 250 241 205 225 179 151 103 76 61
BT.470 BG: 192 36 17 0 142 48 26 36 188 106 106 106 1 0 3 249 237 189 221 154 120 67 36 22
DCI white: 212 42 24 0 163 56 47 59 208 128 128 128 12 9 21 252 240 195 232 167 135 94 58 42
Adobe RGB: 231 57 34 0 161 60 41 57 205 129 129 129 5 2 12 254 240 199 243 172 140 99 57 40
ProPhoto: 255 0 43 0 191 61 0 78 223 146 146 146 11 7 28 255 241 204 255 172 152 136 67 55
linear: 229 133 110 110 208 143 122 133 229 188 188 188 61 53 79 253 248 229 241 213 196 160 133 117
1.8: 210 77 53 53 176 88 65 77 210 146 146 146 13 8 26 251 243 210 231 184 158 109 77 59
"""
IN_SRGB = {
    name: [int(v) for v in values.split()] for name, values in (row.split(": ") for row in _TABLE.split("\n") if row)
}
IN_SRGB["sRGB"] = [channel for colour in COLOURS for channel in colour]
"""What `COLOURS` are in sRGB where they are in another space: by colour-science 0.4.7 (``RGB_to_RGB`` with Bradford,
the curves of its module ``models``), clipped and rounded."""

P3 = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
SRGB = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
PROPHOTO = (34570, 35850, 73470, 26530, 15960, 84040, 3660, 10)
"""White, red, green, blue: x and y times 100,000."""


def picture() -> Image.Image:
    """The colours as squares of 32 pixels, four in a row."""
    return Image.fromarray(np.array(COLOURS, np.uint8).reshape(2, 4, 3).repeat(32, 0).repeat(32, 1))


def colours_of(pixels: np.ndarray[Any, Any]) -> list[int]:
    """The middle of each square."""
    return [int(v) for v in pixels[16::32, 16::32].ravel()]


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks: tuple[bytes, bytes], **options: Any) -> bytes:
    """With more chunks behind the header."""
    data = encoded(picture(), "PNG", **options)
    return data[:33] + b"".join(chunk(*c) for c in chunks) + data[33:]


def cicp(primaries: int, transfer: int, matrix: int = 0, full: int = 1) -> tuple[bytes, bytes]:
    return b"cICP", bytes((primaries, transfer, matrix, full))


def gama(gamma: int) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", gamma)


def chrm(places: tuple[int, ...]) -> tuple[bytes, bytes]:
    return b"cHRM", struct.pack(">8I", *places)


def exif(
    first: Mapping[int, Any] | None = None, tags: Mapping[int, Any] | None = None, interoperability: str = ""
) -> bytes:
    """Tags of the first directory, of Exif's own, and InteroperabilityIndex."""
    block = Image.Exif()
    for tag, value in (first or {}).items():
        block[tag] = value
    block[ExifTags.IFD.Exif] = {**(tags or {}), **({0xA005: {1: interoperability}} if interoperability else {})}
    return block.tobytes()


ADOBE_BY_EXIF = exif(tags={0xA001: 65535}, interoperability="R03")


def with_exif(kind: str, block: bytes) -> bytes:
    """A file of format `kind` with Exif; lossless, or the best JPEG."""
    options: dict[str, Any] = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    return encoded(picture(), kind, exif=block, **options)


def with_nclx(kind: str, primaries: int, transfer: int) -> bytes:
    """An AVIF or HEIC; its pixels are within a level or two."""
    options = {"AVIF": {"quality": 100, "subsampling": "4:4:4"}, "HEIF": {"chroma": 444}}[kind]
    data = bytearray(encoded(picture(), kind, **options))
    at = data.index(b"colrnclx")
    data[at + 8 : at + 12] = struct.pack(">HH", primaries, transfer)
    return bytes(data)


def bmp(kind: bytes = bytes(4), xyz: tuple[float, ...] = (), gamma: float = 0.0, profile: bytes = b"") -> bytes:
    """With a BITMAPV5HEADER."""
    plain = encoded(picture(), "BMP")
    pixels = plain[54:]
    head = plain[18:54] + bytes(16) + kind + struct.pack("<9i", *(round(v * (1 << 30)) for v in xyz or (0,) * 9))
    head += struct.pack("<3I", *(round(gamma * 65536),) * 3) + struct.pack("<4I", 4, 124 + len(pixels), len(profile), 0)
    body = struct.pack("<I", 124) + head + pixels + profile
    return b"BM" + struct.pack("<IHHI", 14 + len(body), 0, 0, 138) + body


def linear_grey_profile() -> bytes:
    """An ICC profile of grey (ICC.1:2010) whose values are light itself: its curve has no entries."""
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    name = b"desc\0\0\0\0" + struct.pack(">I", 2) + b"g" + bytes(79)
    tags = {b"wtpt": white, b"kTRC": b"curv" + bytes(8), b"desc": name}
    at, table, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for tag, content in tags.items():
        table += struct.pack(">4sII", tag, at + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = bytearray(128)
    struct.pack_into(">I4xI4s4s4s", head, 0, at + len(body), 0x02400000, b"mntr", b"GRAY", b"XYZ ")
    head[36:40], head[68:80] = b"acsp", white[8:]
    return bytes(head) + table + body
