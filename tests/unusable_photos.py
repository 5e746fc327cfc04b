"""Files as users really have them that are no usable photo, and (`unusual_photos`) odd ones that must be read well."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from encoded_pictures import HEIGHT, WIDTH, encoded, encoded_deep, has_heif, small_picture
from PIL import Image, ImageOps, features
from unusual_photos import make_odd_but_good_files

__all__ = ["make_bad_files", "make_odd_but_good_files"]


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png_with(chunk: bytes) -> bytes:
    """A good PNG with one more chunk behind its header."""
    data = encoded(small_picture(), "PNG")
    return data[:33] + chunk + data[33:]


def _huge_png() -> bytes:
    header = _png_chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0))
    body = _png_chunk(b"IDAT", zlib.compress(bytes(1000))) + _png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + body


def _huge_jpeg() -> bytes:
    data = bytearray(encoded(small_picture(), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 60_000, 60_000)
    return bytes(data)


def _huge_gif() -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", 60_000, 60_000, 0, 0, 0) + b",\0\0\0\0\x60\xea\x60\xea\0\2\0;"


def _huge_bmp() -> bytes:
    data = bytearray(encoded(small_picture(), "BMP"))
    data[18:26] = struct.pack("<ii", 60_000, 60_000)
    return bytes(data)


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]


def _without_tables(data: bytes) -> bytes:
    """A JPEG whose first Huffman table holds nonsense."""
    at = data.index(b"\xff\xc4")
    return data[: at + 5] + b"\xee" * 16 + data[at + 21 :]


def _progressive_without_last_scan() -> bytes:
    data = encoded(small_picture(), "JPEG", progressive=True)
    return data[: data.rindex(b"\xff\xda")] + b"\xff\xd9"


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _frames(kind: str, **options: Any) -> bytes:
    first = small_picture()
    return encoded(first, kind, save_all=True, append_images=[ImageOps.mirror(first)], duration=80, **options)


def _raw_thumbnail() -> bytes:
    return encoded(small_picture(), "TIFF", tiffinfo={50706: b"\1\4\0\0"})


def _cut_files() -> dict[str, bytes]:
    picture = small_picture()
    jpeg, webp = encoded(picture, "JPEG", quality=90), encoded(picture, "WEBP", lossless=True)
    files = {
        "cut-in-header.jpg": jpeg[:180],
        "half.jpg": _half(jpeg),
        "half-then-end-marker.jpg": _half(jpeg) + b"\xff\xd9",
        "half-then-zeros.jpg": _half(jpeg) + bytes(len(jpeg) // 2),
        "last-byte-missing.jpg": jpeg[:-1],
        "half-progressive.jpg": _half(encoded(picture, "JPEG", progressive=True)),
        "last-scan-missing.jpg": _progressive_without_last_scan(),
        "half.png": _half(encoded(picture, "PNG")),
        "half.webp": _half(webp),
        "half-then-zeros.webp": _half(webp) + bytes(len(webp) - len(webp) // 2),
        "half.bmp": _half(encoded(picture, "BMP")),
        "half.gif": _half(encoded(picture, "GIF")),
        "half.tif": _half(encoded(picture, "TIFF")),
        "half-lzw.tif": _half(encoded(picture, "TIFF", compression="tiff_lzw")),
    }
    if features.check("avif"):
        files["half.avif"] = _half(encoded(picture, "AVIF"))
    if has_heif():
        files["half.heic"] = _half(encoded(picture, "HEIF"))
    return files


def _corrupt_files() -> dict[str, bytes]:
    png, jpeg = encoded(small_picture(), "PNG"), encoded(small_picture(), "JPEG")
    swollen = b"a\0\0" + zlib.compress(bytes(80_000_000))
    return {
        "wrong-checksum.png": _flipped(png, len(png) // 2),
        "wrong-header-checksum.png": _flipped(png, 20),
        "wrong-tables.jpg": _without_tables(jpeg),
        "swollen-text.png": _png_with(_png_chunk(b"zTXt", swollen)),
        "swollen-profile.png": _png_with(_png_chunk(b"iCCP", swollen)),
        "no-picture.webp": b"RIFF" + struct.pack("<I", 100) + b"WEBPVP8 " + bytes(96),
    }


def _files_of_other_kinds() -> dict[str, bytes]:
    """Images of kinds that phq does not read."""
    ramp = np.linspace(0, 1, WIDTH * HEIGHT, dtype=np.float32).reshape(HEIGHT, WIDTH)
    return {
        "drawing.svg": b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="64"/>\n',
        "document.pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
        "postscript.eps": encoded(small_picture(), "EPS"),
        "layers.psd": b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 120, 160, 8, 3) + bytes(40),
        "icon.ico": encoded(small_picture(), "ICO"),
        "pixmap.ppm": encoded(small_picture(), "PPM"),
        "wavelets.jp2": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(64),
        "photo.jxl": b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(64),
        "radiance.exr": b"v/1\x01\2\0\0\0" + bytes(64),
        "camera.dng": _raw_thumbnail(),
        "camera.cr2": b"II*\0\x10\0\0\0CR\2\0" + bytes(64),
        "camera.cr3": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(64),
        "camera.raf": b"FUJIFILMCCD-RAW 0201" + bytes(64),
        "float-grey.tif": encoded_deep(".tiff", ramp),
        "float-colour.tif": encoded_deep(".tiff", np.dstack([ramp] * 3)),
    }


def _files_that_are_no_image() -> dict[str, bytes]:
    return {
        "only-a-newline.jpeg": b"\n",
        "text.jpg": b"this is no picture\n" * 20,
        "page-not-found.jpg": b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n",
        "noise.png": np.random.default_rng(1).bytes(5000),
        "zeros.jpg": bytes(5000),
        "notes.txt": b"shot in June\n",
        "clip.mp4": b"\0\0\0\x18ftypisom\0\0\2\0isommp42" + bytes(64),
        "archive.zip": b"PK\3\4" + bytes(64),
    }


def _bytes_by_reason() -> dict[str, dict[str, bytes]]:
    picture = small_picture()
    animated = {"animated.gif": _frames("GIF"), "animated.png": _frames("PNG"), "animated.webp": _frames("WEBP")}
    if features.check("avif"):
        animated["animated.avif"] = _frames("AVIF")
    return {
        "is_empty": {"empty.jpg": b"", "empty.tif": b""},
        "not_an_image": _files_that_are_no_image(),
        "unsupported_format": _files_of_other_kinds(),
        "truncated": _cut_files(),
        "corrupt": _corrupt_files(),
        "too_many_pixels": {
            "huge.png": _huge_png(), "huge.jpg": _huge_jpeg(), "huge.gif": _huge_gif(), "huge.bmp": _huge_bmp(),
        },
        "too_small": {
            "one-pixel.gif": encoded(Image.new("L", (1, 1)), "GIF"),
            "thumbnail.jpg": encoded(picture.resize((40, 31)), "JPEG"),
            "strip.png": encoded(Image.new("RGB", (3000, 40)), "PNG"),
        },
        "animated": animated,
        "multi_page": {"pages.tif": encoded(picture, "TIFF", save_all=True, append_images=[picture])},
    }  # fmt: skip


def _make_special_files(folder: Path) -> dict[str, str]:
    """What only some systems have: links, pipes, files one may not read."""
    expected: dict[str, str] = {}
    if os.name != "posix":
        return expected
    (folder / "dangling.jpg").symlink_to("nothing-here.jpg")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    os.mkfifo(folder / "pipe.jpg")
    expected |= {"dangling.jpg": "missing_file", "loop.jpg": "unreadable", "pipe.jpg": "not_an_image"}
    if os.geteuid() != 0:
        locked = folder / "locked.jpg"
        locked.write_bytes(encoded(small_picture(), "JPEG"))
        locked.chmod(0)
        expected["locked.jpg"] = "unreadable"
    return expected


def make_bad_files(folder: Path) -> dict[str, str]:
    """Write some sixty files that cannot be used into `folder`.

    Returns the expected reason of each, by file name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    expected: dict[str, str] = {}
    for reason, files in _bytes_by_reason().items():
        for name, data in files.items():
            (folder / name).write_bytes(data)
            expected[name] = reason
    return expected | _make_special_files(folder)
