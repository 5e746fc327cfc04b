"""Small videos with known frames, for the tests that read them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from phq.system.arrays import Image

CORNERS = {"top left": (210, 40, 40), "top right": (40, 60, 210), "bottom left": (40, 190, 40),
           "bottom right": (220, 220, 60)}  # fmt: skip


def corners(width: int, height: int, level: int = 0) -> Image:
    """A picture whose four quarters have the colours of `CORNERS`, with a grey square of `level` in the middle."""
    picture = np.empty((height, width, 3), np.uint8)
    halves = (slice(0, height // 2), slice(height // 2, None)), (slice(0, width // 2), slice(width // 2, None))
    for name, colour in CORNERS.items():
        row, column = halves[0]["bottom" in name], halves[1]["right" in name]
        picture[row, column] = colour
    y, x = height // 4, width // 4
    picture[height // 2 - y // 2 : height // 2 + y // 2, width // 2 - x // 2 : width // 2 + x // 2] = level
    return picture


def seen_corners(pixels: Image) -> list[str]:
    """Names of the colours of the four quarters: top left, top right, bottom left, bottom right."""
    height, width = pixels.shape[:2]
    spots = [pixels[y, x].astype(int) for y in (height // 8, -height // 8) for x in (width // 8, -width // 8)]
    return [min(CORNERS, key=lambda name: np.abs(spot - CORNERS[name]).sum()) for spot in spots]


def level_of(pixels: Image) -> int:
    """Level of the grey square in the middle."""
    height, width = pixels.shape[:2]
    return int(pixels[height // 2 - 2 : height // 2 + 2, width // 2 - 2 : width // 2 + 2].mean())


def write_video(
    path: Path,
    pictures: Sequence[Image],
    times: Sequence[int] | None = None,
    *,
    codec: str = "libx264",
    rate: int = 10,
    rotation: int = 0,
    mirrored: bool = False,
    aspect: Fraction | None = None,
    colours: dict[str, Any] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Encode pictures.

    Args:
        times: of each, in units of 1/`rate` seconds; by default 0, 1, 2…
        rotation: of the display matrix, degrees counter-clockwise, a `mirrored` one mirrored after it.
        aspect: width of a pixel over its height.
        colours: attributes of the codec context, such as ``color_trc``.
    """
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": "4", **(options or {})} if codec == "libx264" else options or {}
        if rotation or mirrored:
            stream.set_display_rotation(rotation, hflip=mirrored)
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        for name, value in (colours or {}).items():
            setattr(stream.codec_context, name, value)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            matrix = (colours or {}).get("colorspace")
            if matrix is not None:
                frame = frame.reformat(format="yuv420p", dst_colorspace=matrix)
            frame.pts = times[number] if times else number
            frame.time_base = Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
