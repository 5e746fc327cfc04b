"""Standard deviation of the noise, from what is left when edges and smooth shading are filtered away."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from phq.quality.exposure import grey
from phq.system.arrays import Image

KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6.0
"""Difference of two Laplacians: 0 on planes and horizontal or vertical edges, unit gain for white noise."""
MAD_TO_SIGMA = 1.0 / 0.6745
"""Median of |x| of a centred normal variable to its standard deviation."""
CLIPPED = 3
"""Grey levels this close to 0 or 255 are left out: clipping has cut their noise off."""


def mad_sigma(image: NDArray[np.float32], where: NDArray[np.bool_]) -> float:
    """Noise of an H × W grey image over the pixels `where`, in its own units; 0 where there are none.

    The kernel of J. Immerkær, "Fast noise variance estimation", CVIU 64(2), 1996, with the median of D.
    Donoho and I. Johnstone (1994) in place of the mean, so that hair and cloth count as outliers and not as
    noise.
    """
    where = where & (image >= CLIPPED) & (image <= 255 - CLIPPED)
    if not where.any():
        return 0.0
    response = np.abs(cv2.filter2D(image, cv2.CV_32F, KERNEL))
    return float(np.median(response[where])) * MAD_TO_SIGMA


def noise_sigma(crop: Image, photo_in_crop: Sequence[float] | NDArray[Any], source_px_per_px: float = 1.0) -> float:
    """Noise of the stored image's luma, grey levels 0..255.

    Measured at the stored size, which averages away what a large photo had; a magnified image is first reduced to its
    photo's own pixels, since magnification spreads noise to scales that this finest-scale estimate does not see. A
    clean photo gives 0.2 to 1.5, a noisy one 5 to 15.

    Args:
        crop: H × W × 3 RGB.
        photo_in_crop: x0, y0, x1, y1 of the part that is photo, crop pixels.
        source_px_per_px: photo pixels per crop pixel along one axis.
    """
    if source_px_per_px < 1:
        width, height = (max(1, round(n * source_px_per_px)) for n in crop.shape[1::-1])
        photo_in_crop = np.asarray(photo_in_crop) * ([width / crop.shape[1], height / crop.shape[0]] * 2)
        crop = np.asarray(cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA))
    height, width = crop.shape[:2]
    x0, y0, x1, y1 = photo_in_crop
    # one pixel in from the padding, whose edge would count as noise
    x0, y0 = (math.ceil(x0) + 1 if x0 > 0 else 0), (math.ceil(y0) + 1 if y0 > 0 else 0)
    x1, y1 = (math.floor(x1) - 1 if x1 < width else width), (math.floor(y1) - 1 if y1 < height else height)
    inside = np.zeros((height, width), bool)
    inside[y0 : max(y1, y0), x0 : max(x1, x0)] = True
    return mad_sigma(grey(crop), inside)
