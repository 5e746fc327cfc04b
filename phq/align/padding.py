"""What a crop shows beyond the borders of its photo.

The recipe is FFHQ's as 360°PHQ uses it: mirror the photo, blur the mirror image more and more, and fade it to the
median colour. One thing is different: pixels of the photo itself are never touched; upstream's blur begins inside.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from phq.system.arrays import Floats, Image

BLUR = 0.02
"""Standard deviation of the blur, fraction of the crop's side."""


def depth_into_padding(photo_in_crop: Floats, size: int) -> NDArray[np.float32]:
    """size × size: 0 on the photo, rising to 1 at the crop's border where that border is padding.

    Args:
        photo_in_crop: x0, y0, x1, y1 of the photo's part, crop pixels.
    """
    x0, y0, x1, y1 = (float(v) for v in photo_in_crop)
    centre = np.arange(size) + 0.5
    across = np.maximum((x0 - centre) / max(x0, 1e-6), (centre - x1) / max(size - x1, 1e-6))
    down = np.maximum((y0 - centre) / max(y0, 1e-6), (centre - y1) / max(size - y1, 1e-6))
    return np.asarray(np.clip(np.maximum(across[None, :], down[:, None]), 0, 1), np.float32)


def is_padding(photo_in_crop: Floats, size: int) -> NDArray[np.bool_]:
    """size × size: pixels whose centre lies beyond the photo; the padding mask of a stored sample."""
    x0, y0, x1, y1 = photo_in_crop
    centre = np.arange(size) + 0.5
    across, down = (centre < x0) | (centre > x1), (centre < y0) | (centre > y1)
    return np.asarray(across[None, :] | down[:, None])


def padding_fraction(photo_in_crop: Floats, size: float) -> float:
    """Fraction of the crop's area that lies beyond the photo."""
    x0, y0, x1, y1 = photo_in_crop
    return float(1 - max(x1 - x0, 0) * max(y1 - y0, 0) / size**2)


def soften_padding(crop: Image, photo_in_crop: Floats) -> Image:
    """Blur and fade the mirrored part of a crop (size × size × 3); its photo part is returned unchanged."""
    size = crop.shape[0]
    padding = is_padding(photo_in_crop, size)
    if not padding.any():
        return crop
    depth = depth_into_padding(photo_in_crop, size)[..., None]
    sharp = crop.astype(np.float32)
    blurred: Any = cv2.GaussianBlur(sharp, (0, 0), BLUR * size)
    mixed = sharp + (blurred - sharp) * np.clip(3 * depth, 0, 1)
    median = np.median(crop[~padding], axis=0) if (~padding).any() else np.full(3, 128.0)
    mixed += (median.astype(np.float32) - mixed) * depth
    return np.where(padding[..., None], np.rint(mixed).astype(np.uint8), crop)
