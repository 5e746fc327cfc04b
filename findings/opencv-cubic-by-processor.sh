#!/bin/sh
# Expected: cv2.resize of an 8-bit picture with INTER_CUBIC gives the same pixels on every x86-64 processor, as it does
#   with INTER_LINEAR, INTER_AREA and INTER_LANCZOS4, which are integer arithmetic too.
# Seen: three results of one version, by Intel IPP's code for AVX2, IPP's for SSE4.2, and OpenCV's own without IPP; about
#   one pixel in twenty differs by one level. Variables stand for processors that lack those instructions.
# Versions: opencv-python-headless 4.14.0.94, numpy 2.4.6, x86-64 with AVX2.
set -e
W=$(mktemp -d); trap 'rm -r "$W"' EXIT
python3 -m venv "$W/env" && "$W/env/bin/pip" install -q opencv-python-headless==4.14.0.94 numpy==2.4.6
cat >"$W/resize.py" <<'P'
import hashlib
import cv2
import numpy as np

picture = np.random.default_rng(0).integers(0, 256, (600, 800, 3), dtype=np.uint8)
for name in ("CUBIC", "LINEAR", "AREA", "LANCZOS4"):
    small = cv2.resize(picture, (333, 217), interpolation=getattr(cv2, f"INTER_{name}"))
    print(name, hashlib.sha256(small.tobytes()).hexdigest()[:12])
P
for ipp in avx2 sse42 disabled; do
  OPENCV_IPP=$ipp "$W/env/bin/python" "$W/resize.py" 2>/dev/null >"$W/$ipp"; echo "OPENCV_IPP=$ipp"; cat "$W/$ipp"
done
results() { cat "$W/avx2" "$W/sse42" "$W/disabled" | grep "^$1 " | sort -u | wc -l; }
[ "$(results CUBIC)" -eq 3 ] && [ "$(results LINEAR)" -eq 1 ] && [ "$(results AREA)" -eq 1 ] && [ "$(results LANCZOS4)" -eq 1 ]
