"""Videos: the colours that a player shows are those of the frames."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from phq.generator.train.preview import save_video

ffmpeg = pytest.importorskip("imageio_ffmpeg")
COLOURS = np.array([[200, 30, 40], [20, 160, 60], [40, 50, 220], [230, 200, 20], [128, 128, 128]], np.uint8)


@pytest.mark.parametrize("size", [(720, 1280), (96, 160), (721, 97)])
def test_a_video_is_bt709_and_says_so(tmp_path: Path, size: tuple[int, int]) -> None:
    height, width = size
    bars = np.repeat(COLOURS, -(-width // len(COLOURS)), axis=0)[:width]
    frame = np.tile(bars, (height, 1, 1))
    assert save_video(tmp_path / "a.mp4", iter([frame] * 3))
    program = ffmpeg.get_ffmpeg_exe()
    said = subprocess.run([program, "-i", tmp_path / "a.mp4"], capture_output=True, text=True, check=False).stderr
    assert re.search(r"yuv420p\(tv, bt709[,)/]", said), said
    raw = [
        "-vf",
        "scale=in_color_matrix=bt709:in_range=tv",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-frames:v",
        "1",
        "-",
    ]
    shown = subprocess.run([program, "-i", tmp_path / "a.mp4", *raw], capture_output=True, check=True).stdout
    picture = np.frombuffer(shown, np.uint8).reshape(height // 2 * 2, width // 2 * 2, 3).astype(int)
    step = width // len(COLOURS)
    for number, colour in enumerate(COLOURS.astype(int)):
        middle = picture[height // 4 : height // 2, number * step + step // 3 : number * step + 2 * step // 3]
        assert np.abs(np.median(middle, axis=(0, 1)) - colour).max() <= 4
