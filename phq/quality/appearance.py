"""Colours by which the same person in the same scene is known again: hair, clothes, and what is behind them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from phq.system.arrays import Floats, Image

SIDE = 64
"""Side of the grid on which colours are averaged."""
REGIONS = ("head", "clothes", "background_left", "background_right")
NUMBERS = 6 * len(REGIONS)
FEWEST = 16
"""Least cells of a region; one with fewer gives zeros."""
MIRRORED = (0, 1, 3, 2)
"""Region of the mirror image that is a region of the image."""


def appearance(crop: Image, mask: NDArray[np.uint8], photo_in_crop: Any) -> Floats:
    """(24,) for each of `REGIONS` mean and standard deviation of L*, a*, b* (CIE 1976, D65); zeros where too little is.

    Head and clothes are the person above and below the middle of the picture, where the fitted neck is; background is
    the rest of the photo left and right of the middle.

    Args:
        crop: H × W × 3 RGB.
        mask: H × W, 0 or 255.
        photo_in_crop: x0, y0, x1, y1 of what is photo, crop pixels.
    """
    small = cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    share = cv2.resize(mask, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    x0, y0, x1, y1 = np.asarray(photo_in_crop) * (SIDE / len(crop))
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    photo = (columns > x0) & (columns < x1) & (rows > y0) & (rows < y1)
    person, behind, left = photo & (share > 250), photo & (share < 5), columns < SIDE / 2
    above = rows < SIDE * 0.55
    parts = (person & above, person & ~above, behind & left, behind & ~left)
    return np.concatenate([_colours(lab[part]) for part in parts])


def _colours(lab: Floats) -> Floats:
    if len(lab) < FEWEST:
        return np.zeros(6)
    return np.concatenate([lab.mean(0, dtype=np.float64), lab.std(0, dtype=np.float64)])
