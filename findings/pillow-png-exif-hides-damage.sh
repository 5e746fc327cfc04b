#!/bin/sh
# Expected: a PNG whose pixel data cannot be decompressed raises at load(), whatever was asked of it before.
# Seen: getexif() decodes the picture to look for Exif behind the pixels and raises; load() after it raises nothing, and
# the picture is black. Code that takes damaged Exif for none, as most does, then reads damaged PNGs as black pictures.
# Pillow 13.0.0.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0
"$folder/venv/bin/python" - <<'PYTHON'
import io
import struct
import sys
import zlib

import PIL
from PIL import Image


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


header = struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0)
data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"no deflate stream" * 50) + chunk(b"IEND", b"")


def outcome(steps):
    image = Image.open(io.BytesIO(data))
    said = []
    for step in steps:
        try:
            getattr(image, step)()
            said.append(f"{step}: no error")
        except OSError as error:
            said.append(f"{step}: {error}")
    return said, image


alone, _ = outcome(["load"])
after, image = outcome(["getexif", "load"])
print("Pillow", PIL.__version__, alone, after, "extremes:", image.getextrema())
black = image.getextrema() == ((0, 0),) * 3
sys.exit(0 if "no error" not in alone[0] and after[1] == "load: no error" and black else 1)
PYTHON
