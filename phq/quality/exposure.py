"""Light on the person: mean luminance, crushed blacks, blown whites."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from phq.work import Image

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
        crop: H × W × 3 RGB. mask: H × W, 0 or 255.

    Returns:
        Three zeros where the mask is empty: there is no person to measure, which ``mask.min`` says.
    """
    person: NDArray[Any] = crop[mask > 0]
    if not len(person):
        return 0.0, 0.0, 0.0
    luminance = float(grey(crop)[mask > 0].mean(dtype=np.float64)) / 255.0
    return luminance, float((person.max(1) <= BLACK).mean()), float((person.min(1) >= WHITE).mean())
