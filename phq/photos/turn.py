"""Photos turned by quarters, and the way back to the photo's own pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from phq.system.arrays import Floats, Image

TURNS = (90, 180, 270)
"""Degrees counter-clockwise."""


def turned(pixels: Image, degrees: int) -> Image:
    """An H × W × C picture turned counter-clockwise by 0, 90, 180 or 270 degrees."""
    return np.ascontiguousarray(np.rot90(pixels, degrees // 90)) if degrees else pixels


def from_turned(points: ArrayLike, degrees: int, width: int, height: int) -> Floats:
    """(…, 2) positions in the photo of positions in the turned picture, whose size is `width` × `height` pixels."""
    x, y = np.moveaxis(np.asarray(points, float), -1, 0)
    back = {0: (x, y), 90: (height - y, x), 180: (width - x, height - y), 270: (y, width - x)}
    return np.stack(back[degrees], -1)


def to_turned(points: ArrayLike, degrees: int, width: int, height: int) -> Floats:
    """(…, 2) positions in the turned picture, whose size is `width` × `height` pixels, of positions in the photo."""
    x, y = np.moveaxis(np.asarray(points, float), -1, 0)
    there = {0: (x, y), 90: (y, height - x), 180: (width - x, height - y), 270: (width - y, x)}
    return np.stack(there[degrees], -1)


def turned_axes(degrees: int) -> Floats:
    """3×3 from OpenCV axes of the photo's camera to those of the turned picture's."""
    x, y = {0: ((1, 0), (0, 1)), 90: ((0, 1), (-1, 0)), 180: ((-1, 0), (0, -1)), 270: ((0, -1), (1, 0))}[degrees]
    return np.array([[*x, 0], [*y, 0], [0, 0, 1]], float)
