"""Guided filter (He, Sun and Tang 2010): a soft mask follows the edges of the colour image it belongs to."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]


def guided_filter(guide: Plane, soft: Plane, radius: int, epsilon: float) -> Plane:
    """Locally linear fit of `soft` by the colours of `guide`.

    Args:
        guide: H × W × 3 in 0..1. soft: H × W in 0..1. radius: window half-width, pixels.
        epsilon: variance (of colours in 0..1) below which a window counts as flat.

    Returns:
        H × W, about 0..1.
    """

    def mean(values: Plane) -> Any:
        return cv2.blur(values, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REFLECT)

    guide_mean, soft_mean = mean(guide), mean(soft)
    covariance = mean(guide * soft[..., None]) - guide_mean * soft_mean[..., None]
    products = mean((guide[..., :, None] * guide[..., None, :]).reshape(*guide.shape[:2], 9).astype(np.float32))
    spread = products.reshape(*guide.shape[:2], 3, 3) - guide_mean[..., :, None] * guide_mean[..., None, :]
    slope = np.linalg.solve(spread + epsilon * np.eye(3, dtype=np.float32), covariance[..., None])[..., 0]
    offset = soft_mean - (slope * guide_mean).sum(-1)
    return np.asarray((mean(slope.astype(np.float32)) * guide).sum(-1) + mean(offset.astype(np.float32)), np.float32)
