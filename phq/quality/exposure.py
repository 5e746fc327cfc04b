"""Light on the person: mean luminance, crushed blacks, blown whites."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from phq.system.arrays import Image

BLACK = 5
"""A pixel whose brightest channel is at most this is crushed to black."""
WHITE = 250
"""A pixel whose darkest channel is at least this is blown to white."""


def grey(crop: Image) -> NDArray[np.float32]:
    """H × W luma of an H × W × 3 RGB image (ITU-R BT.601 weights, as OpenCV's grey), 0..255."""
    return np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.float32)


def exposure(crop: Image, mask: NDArray[np.uint8]) -> tuple[float, float, float]:
    """(mean luminance 0..1, underexposed fraction, overexposed fraction) of the person's pixels.

    Luminance is the luma of the stored, gamma-encoded values: what a viewer sees as brightness.

    Args:
        crop: H × W × 3 RGB.
        mask: H × W, 0 or 255.

    Returns:
        Three zeros where the mask is empty: there is no person to measure (rule ``mask.min``).
    """
    person = mask > 0
    pixels = np.count_nonzero(person)
    if not pixels:
        return 0.0, 0.0, 0.0
    red, green, blue = cv2.split(crop)  # whole planes: a reduction along three channels is ten times slower
    under = person & (cv2.max(cv2.max(red, green), blue) <= BLACK)
    over = person & (cv2.min(cv2.min(red, green), blue) >= WHITE)
    luminance = float(grey(crop)[person].mean(dtype=np.float64)) / 255.0
    return luminance, np.count_nonzero(under) / pixels, np.count_nonzero(over) / pixels
