#!/bin/sh
# Expected: cv2.warpAffine of a float32 picture with INTER_LINEAR moves smoothly with the matrix: on a ramp of 320 a
#   pixel, a shift by 0.01 pixels adds 3.2.
# Seen: positions are rounded to 1/32 of a pixel for float32 too, so that a shift by 0.01 changes nothing and one by
#   0.0157 adds 10. A crop that moves by 1e-6 pixels can therefore change by many levels at once.
# Versions: opencv-python-headless 4.14.0.94, numpy 2.4.6.
set -e
W=$(mktemp -d); trap 'rm -r "$W"' EXIT
python3 -m venv "$W/env" && "$W/env/bin/pip" install -q opencv-python-headless==4.14.0.94 numpy==2.4.6
"$W/env/bin/python" - <<'P'
import sys
import cv2
import numpy as np

ramp = np.tile(np.arange(64, dtype=np.float32) * 320, (8, 1))


def added(shift):
    matrix = np.array([[1.0, 0.0, shift], [0.0, 1.0, 0.0]])
    moved = cv2.warpAffine(ramp, matrix, (64, 8), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return float(moved[4, 30] - ramp[4, 30])


print("opencv", cv2.__version__)
steps = {shift: added(shift) for shift in (0.005, 0.01, 0.015, 0.016, 0.02, 0.03, 0.046, 0.048)}
for shift, value in steps.items():
    print(f"shift {shift}: adds {value:.4f}, exact {320 * shift:.4f}")
sys.exit(not (steps[0.01] == 0 and steps[0.016] == 10 and steps[0.046] == 10 and steps[0.048] == 20))
P
