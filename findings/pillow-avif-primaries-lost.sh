#!/bin/sh
# Expected: an AVIF that states Display P3 (nclx 12/13) keeps its colours when Pillow opens it and saves it as AVIF.
# Seen: the image's info has no trace of the statement, the pixels are those of P3, and the copy states BT.709 (1/13):
# every colour is another. Pixels of PQ (12/16) are likewise handed out as if they were sRGB.
# Pillow 13.0.0 with its own libavif; the AVIF of Display P3 is made by imagecodecs 2026.3.6.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0 imagecodecs==2026.3.6
"$folder/venv/bin/python" - <<'PYTHON'
import io
import struct
import sys

import imagecodecs
import numpy as np
import PIL
from PIL import Image

pixels = np.full((64, 64, 3), (200, 60, 40), np.uint8)


def stated(data):
    at = data.index(b"colrnclx") + 8
    return struct.unpack(">HH", data[at : at + 4])


seen = []
for transfer in (13, 16):
    source = imagecodecs.avif_encode(pixels, level=100, primaries=12, transfer=transfer)
    image = Image.open(io.BytesIO(source))
    image.load()
    out = io.BytesIO()
    image.save(out, "AVIF", quality=100)
    off = int(np.abs(np.asarray(image.convert("RGB")).astype(int) - pixels).max())
    told = sorted(set(image.info) - {"timestamp", "duration"})
    seen.append((stated(source), stated(out.getvalue()), off, told))
    print("Pillow", PIL.__version__, "states", seen[-1][0], "copy states", seen[-1][1], "levels off", off, "info", told)
same = all(off <= 4 and copy == (1, 13) and not told for _, copy, off, told in seen)
sys.exit(0 if same and [source for source, *_ in seen] == [(12, 13), (12, 16)] else 1)
PYTHON
