#!/bin/sh
# Expected: a video whose container states a horizontal mirroring (display matrix diag(-1, 1, 1), as front cameras and
#   ffmpeg's -display_hflip write it) is shown mirrored: what was stored at the left is seen at the right, the top stays.
# Seen: cv2.VideoCapture, which turns frames by default, turns them by 180 degrees: upside down, and not mirrored.
#   PyAV's VideoFrame.rotation says -180 of the same matrix, as av_display_rotation_get does.
# Versions: opencv-python 4.14.0.94, av 18.1.0, numpy 2.4.6.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q opencv-python==4.14.0.94 av==18.1.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import av
import cv2
import numpy as np

print("opencv", cv2.__version__, "av", av.__version__)
red, green, blue, white = (210, 40, 40), (40, 190, 40), (40, 60, 210), (230, 230, 230)
stored = np.empty((96, 128, 3), np.uint8)
stored[:48, :64], stored[:48, 64:], stored[48:, :64], stored[48:, 64:] = red, green, blue, white
with av.open("mirrored.mp4", "w") as container:
    stream = container.add_stream("mpeg4", rate=10)
    stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
    stream.set_display_matrix([-65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30])
    for number in range(5):
        frame = av.VideoFrame.from_ndarray(stored, format="rgb24")
        frame.pts = number
        container.mux(stream.encode(frame))
    container.mux(stream.encode())

names = {"red": red, "green": green, "blue": blue, "white": white}


def corners(picture):
    spots = [picture[y, x].astype(int) for y in (12, 84) for x in (16, 112)]
    return [min(names, key=lambda name: np.abs(spot - names[name]).sum()) for spot in spots]


with av.open("mirrored.mp4") as container:
    rotation = next(container.decode(video=0)).rotation
ok, picture = cv2.VideoCapture("mirrored.mp4").read()
seen = corners(picture[..., ::-1])
print("stored (top left, top right, bottom left, bottom right):", corners(stored))
print("expected:", ["green", "red", "white", "blue"])
print("cv2.VideoCapture:", seen)
print("PyAV's rotation:", rotation)
assert seen == ["white", "blue", "green", "red"], "cv2.VideoCapture no longer turns a mirrored video by 180 degrees"
assert abs(rotation) == 180, "PyAV no longer calls a mirroring a rotation by 180 degrees"
PYTHON
