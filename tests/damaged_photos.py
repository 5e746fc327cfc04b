"""Photos cut off inside each structure of their format, and photos whose structures are broken."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from encoded_pictures import encoded, encoded_deep, has_heif, small_picture
from PIL import Image, features
from stated_colours import chunk


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _cut_at(data: bytes, mark: bytes, more: int) -> bytes:
    return data[: data.index(mark) + more]


def _progressive_without_last_scan() -> bytes:
    data = encoded(small_picture(), "JPEG", progressive=True)
    return data[: data.rindex(b"\xff\xda")] + b"\xff\xd9"


def _cut_jpegs() -> dict[str, bytes]:
    picture = small_picture()
    jpeg = encoded(picture, "JPEG", quality=90)
    progressive = encoded(picture, "JPEG", progressive=True)
    restarts = encoded(picture, "JPEG", restart_marker_rows=1)
    return {
        "magic-only.jpg": jpeg[:3],
        "cut-in-header.jpg": jpeg[:180],
        "cut-in-frame.jpg": _cut_at(jpeg, b"\xff\xc0", 8),
        "cut-in-tables.jpg": _cut_at(jpeg, b"\xff\xc4", 12),
        "cut-in-scan-header.jpg": _cut_at(jpeg, b"\xff\xda", 5),
        "half.jpg": half(jpeg),
        "half-then-end-marker.jpg": half(jpeg) + b"\xff\xd9",
        "half-then-zeros.jpg": half(jpeg) + bytes(len(jpeg) // 2),
        "half-then-another-file.jpg": half(jpeg) + np.random.default_rng(0).bytes(len(jpeg)),
        "half-then-another-photo.jpg": half(jpeg) + jpeg,
        "half-progressive.jpg": half(progressive),
        "last-scan-missing.jpg": _progressive_without_last_scan(),
        "half-with-restarts.jpg": half(restarts),
        "half-ink.jpg": half(encoded(picture.convert("CMYK"), "JPEG")),
        "half-grey.jpg": half(encoded(picture.convert("L"), "JPEG")),
    }


def cut_files() -> dict[str, bytes]:
    """Photos whose end is missing."""
    picture = small_picture()
    png, webp = encoded(picture, "PNG"), encoded(picture, "WEBP", lossless=True)
    tiff, gif, bmp = encoded(picture, "TIFF"), encoded(picture, "GIF"), encoded(picture, "BMP")
    files = {
        "magic-only.png": png[:8],
        "cut-in-header.png": png[:20],
        "half.png": half(png),
        "end-missing.png": png[:-12],
        "half-deep.png": half(encoded_deep(".png", np.asarray(picture).astype(np.uint16) * 257)),
        "half-palette.png": half(encoded(picture.quantize(64), "PNG")),
        "magic-only.webp": webp[:12],
        "half.webp": half(webp),
        "half-lossy.webp": half(encoded(picture, "WEBP", quality=80)),
        "half-then-zeros.webp": half(webp) + bytes(len(webp) - len(webp) // 2),
        "magic-only.bmp": bmp[:2],
        "cut-in-header.bmp": bmp[:30],
        "half.bmp": half(bmp),
        "magic-only.gif": gif[:6],
        "cut-in-palette.gif": gif[:100],
        "half.gif": half(gif),
        "magic-only.tif": tiff[:4],
        "cut-in-directory.tif": tiff[:40],
        "half.tif": half(tiff),
        "half-big.tif": half(encoded(picture, "TIFF", big_tiff=True)),
        "half-lzw.tif": half(encoded(picture, "TIFF", compression="tiff_lzw")),
        "half-deflate.tif": half(encoded(picture, "TIFF", compression="tiff_adobe_deflate")),
        "half-jpeg.tif": half(encoded(picture, "TIFF", compression="jpeg")),
    }
    for suffix, kind, there in (("avif", "AVIF", features.check("avif")), ("heic", "HEIF", has_heif())):
        if there:
            data = encoded(picture, kind)
            files |= {f"half.{suffix}": half(data), f"cut-in-boxes.{suffix}": _cut_at(data, b"ipco", 9)}
    return _cut_jpegs() | files


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]


def _without_tables(data: bytes) -> bytes:
    """A JPEG whose first Huffman table holds nonsense."""
    at = data.index(b"\xff\xc4")
    return data[: at + 5] + b"\xee" * 16 + data[at + 21 :]


def _png(width: int, height: int, pixels: bytes, depth: int = 8, colour: int = 2) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")


def corrupt_files() -> dict[str, bytes]:
    """Photos whose bytes are all there and wrong."""
    png, jpeg = encoded(small_picture(), "PNG"), encoded(small_picture(), "JPEG")
    bmp, webp = encoded(small_picture(), "BMP"), encoded(small_picture(), "WEBP")
    swollen = b"a\0\0" + zlib.compress(bytes(80_000_000))
    rows = chunk(b"IDAT", zlib.compress(bytes(64 * 193)))
    return {
        "wrong-checksum.png": _flipped(png, len(png) // 2),
        "wrong-header-checksum.png": _flipped(png, 20),
        "swollen-text.png": png[:33] + chunk(b"zTXt", swollen) + png[33:],
        "swollen-profile.png": png[:33] + chunk(b"iCCP", swollen) + png[33:],
        "no-pixels.png": _png(64, 64, b""),
        "noise-for-pixels.png": _png(64, 64, chunk(b"IDAT", np.random.default_rng(2).bytes(900))),
        "no-palette.png": _png(64, 64, rows, colour=3),
        "unknown-depth.png": _png(64, 64, rows, depth=7),
        "wrong-tables.jpg": _without_tables(jpeg),
        "no-frame.jpg": jpeg.replace(b"\xff\xc0", b"\xff\xe9"),
        "no-quantisation.jpg": jpeg.replace(b"\xff\xdb", b"\xff\xe9"),
        "no-picture.webp": b"RIFF" + struct.pack("<I", 100) + b"WEBPVP8 " + bytes(96),
        "wrong-chunk.webp": webp.replace(b"VP8 ", b"VP9 "),
        "unknown-depth.bmp": bmp[:28] + b"\7\0" + bmp[30:],
    }


def _of_size(kind: str, width: int, height: int) -> bytes:
    """A small file whose header states a huge picture."""
    data = bytearray(encoded(small_picture(), kind))
    if kind == "JPEG":
        at = data.index(b"\xff\xc0")
        data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    elif kind == "BMP":
        data[18:26] = struct.pack("<ii", width, height)
    else:
        for tag, value in ((256, width), (257, height)):
            at = data.index(struct.pack("<HHI", tag, 4, 1))
            data[at + 2 : at + 12] = struct.pack("<HII", 4, 1, value)
    return bytes(data)


def bombs() -> dict[str, bytes]:
    """Small files that state more pixels than fit into memory."""
    return {
        "huge.png": _png(50_000, 50_000, chunk(b"IDAT", zlib.compress(bytes(1000)))),
        "huge.gif": b"GIF89a" + struct.pack("<HHBBB", 60_000, 60_000, 0, 0, 0) + b",\0\0\0\0\x60\xea\x60\xea\0\2\0;",
        "huge.jpg": _of_size("JPEG", 60_000, 60_000),
        "huge.bmp": _of_size("BMP", 60_000, 60_000),
        "huge.tif": _of_size("TIFF", 60_000, 60_000),
    }


def small_files() -> dict[str, bytes]:
    """Too few pixels, or a strip."""
    dot = Image.new("RGB", (1, 1))
    return {
        "one-pixel.gif": encoded(Image.new("L", (1, 1)), "GIF"),
        "one-pixel.jpg": encoded(dot, "JPEG"),
        "one-pixel.png": encoded(dot, "PNG"),
        "one-pixel.tif": encoded(dot, "TIFF"),
        "one-pixel.bmp": encoded(dot, "BMP"),
        "one-pixel.webp": encoded(dot, "WEBP"),
        "thumbnail.jpg": encoded(small_picture().resize((40, 31)), "JPEG"),
        "strip.png": encoded(Image.new("RGB", (3000, 40)), "PNG"),
        "column.jpg": encoded(Image.new("RGB", (40, 3000)), "JPEG"),
        "line.png": encoded(Image.new("RGB", (3000, 1)), "PNG"),
    }
