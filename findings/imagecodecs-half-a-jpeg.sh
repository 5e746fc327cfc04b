#!/bin/sh
# Expected: decoding half of a JPEG's bytes raises, as Pillow does, or says in some way that a part is missing.
# Seen: jpeg8_decode gives the whole shape without an error or a warning; the missing rows are grey.
# imagecodecs 2026.3.6, NumPy 2.4.6.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check imagecodecs==2026.3.6 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings

import imagecodecs
import numpy as np

y, x = np.mgrid[0:120, 0:160]
pixels = np.stack([127 + 120 * np.sin(x / 17), 127 + 120 * np.cos(y / 23), (x + y) % 256], 2).astype(np.uint8)
data = imagecodecs.jpeg8_encode(pixels, level=92)
whole = imagecodecs.jpeg8_decode(data)
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    half = imagecodecs.jpeg8_decode(data[: len(data) // 2])
last = half[-16:].reshape(-1, 3)
print("imagecodecs", imagecodecs.__version__, "shape", half.shape, "warnings", len(warned), "last rows", last.min(0), last.max(0))
grey = int(np.ptp(last.astype(int), axis=0).max()) <= 2
sys.exit(0 if half.shape == whole.shape and not warned and grey else 1)
PYTHON
