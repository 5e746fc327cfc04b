"""Guided filter (He, Sun and Tang 2010): a soft mask follows the edges of the colour image it belongs to."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from phq.system.arrays import Singles


def guided_filter(guide: Singles, soft: Singles, radius: int, epsilon: float, step: int = 1) -> Singles:
    """Locally linear fit of `soft` by the colours of `guide`.

    Args:
        guide: H × W × 3 in 0..1.
        soft: H × W in 0..1.
        radius: window half-width, pixels.
        epsilon: variance (of colours in 0..1) below which a window counts as flat.
        step: the fit is made on every step-th pixel and applied to all (He and Sun 2015, "Fast guided filter").

    Returns:
        H × W, about 0..1.
    """
    height, width = soft.shape
    small = (max(1, width // step), max(1, height // step))
    slope, offset = _linear_fit(_shrunk(guide, small), _shrunk(soft, small), max(1, radius // step), epsilon)
    slope, offset = (cv2.resize(v, (width, height), interpolation=cv2.INTER_LINEAR) for v in (slope, offset))
    return np.asarray(np.einsum("hwc,hwc->hw", slope, guide) + offset, np.float32)


def _shrunk(values: Singles, size: tuple[int, int]) -> Singles:
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)


def _linear_fit(guide: Singles, soft: Singles, radius: int, epsilon: float) -> tuple[Any, Any]:
    """Smoothed slope (h × w × 3) and offset (h × w) of the local fits."""

    def mean(values: Singles) -> Any:
        return cv2.blur(values, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REFLECT)

    guide_mean, soft_mean = mean(guide), mean(soft)
    covariance = mean(guide * soft[..., None]) - guide_mean * soft_mean[..., None]
    products = (guide[..., :, None] * guide[..., None, :]).reshape(*soft.shape, 9)
    spread = mean(products).reshape(*soft.shape, 3, 3) - guide_mean[..., :, None] * guide_mean[..., None, :]
    slope = np.linalg.solve(spread + epsilon * np.eye(3, dtype=np.float32), covariance[..., None])[..., 0]
    offset = soft_mean - np.einsum("hwc,hwc->hw", slope, guide_mean)
    return mean(slope.astype(np.float32)), mean(offset.astype(np.float32))
