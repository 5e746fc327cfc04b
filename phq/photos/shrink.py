"""Large pictures made small for a network."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from phq.system.arrays import Image

FIRST = 3
"""Pixels a side that are averaged first where a picture shrinks by that factor at least. With two, which serves more
photos, NanoDet lost two of 110 people in a crowd (docs/log.md)."""


def resized_by_area(pixels: Image, width: int, height: int) -> Image:
    """The picture at another size: averaged over areas where a side shrinks, bilinear where both grow.

    A large picture is averaged over whole pixels first (`FIRST`), since OpenCV takes ten times as long for averages
    over parts of pixels; up to two columns at the right and rows below are left out.
    """
    columns, rows = pixels.shape[1] // FIRST, pixels.shape[0] // FIRST
    if columns >= width and rows >= height:
        pixels = _resized(pixels[: rows * FIRST, : columns * FIRST], columns, rows, cv2.INTER_AREA)
    shrink = pixels.shape[1] > width or pixels.shape[0] > height
    return _resized(pixels, width, height, cv2.INTER_AREA if shrink else cv2.INTER_LINEAR)


def _resized(pixels: Image, width: int, height: int, how: int) -> Image:
    made: Any = cv2.resize(pixels, (width, height), interpolation=how)
    return np.asarray(made, np.uint8)
