"""Soft masks on the grid of the crop, and their edges moved to those of the picture."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from phq.detect.blazepose import SIDE
from phq.people.person import Landmarks
from phq.people.record import MaskScores
from phq.photos.region import invert_affine, warp_soft
from phq.system.arrays import Floats, Image, Singles
from phq.system.linear import product, solve

RADIUS = 1 / 64
"""Window of the refinement, fraction of the crop's side."""
EPSILON = 1e-4
FIT_SIDE = 128
"""Side of the grid on which the refinement is fitted; it is applied at the crop's own resolution."""
SUPPORT = 0.05
"""Soft values above this count in the mask's confidence."""


def run_to_crop(run: Landmarks, crop_to_source: Floats, size: int) -> Singles:
    """Soft mask of one run on the size × size grid of the crop; 0 beyond the run's region."""
    crop, to_mask = np.vstack([crop_to_source, [0, 0, 1]]), invert_affine(run.region.to_photo(SIDE))
    return warp_soft(run.mask, product(to_mask, crop), size, size)


def soft_mask(runs: list[Landmarks], crop_to_source: Floats, size: int) -> Singles:
    """Mean of the runs' masks, size × size in 0..1."""
    return np.asarray(np.mean([run_to_crop(run, crop_to_source, size) for run in runs], axis=0), np.float32)


def refine(soft: Singles, crop: Image) -> Singles:
    """The soft mask with its edges moved to those of the picture."""
    radius = max(1, round(RADIUS * crop.shape[0]))
    step = max(1, crop.shape[0] // FIT_SIDE)
    guide = np.asarray(crop, np.float32) / np.float32(255)
    return np.clip(guided_filter(guide, soft, radius, EPSILON, step), 0, 1)


def mask_scores(soft: Floats) -> MaskScores:
    """Fraction of the image inside the mask (above ½), and mean certainty |2s − 1| of its soft values."""
    support = soft[soft > SUPPORT]
    certainty = float(np.abs(2 * support - 1).mean()) if support.size else 0.0
    return MaskScores(float((soft > 0.5).mean()), certainty)


def binary(soft: Floats) -> Image:
    """Mask of 0 and 255."""
    return np.where(soft > 0.5, 255, 0).astype(np.uint8)


def guided_filter(guide: Singles, soft: Singles, radius: int, epsilon: float, step: int = 1) -> Singles:
    """Guided filter (He, Sun and Tang 2010): locally linear fit of `soft` by the colours of `guide`.

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
    slope = solve(spread + epsilon * np.eye(3, dtype=np.float32), covariance[..., None])[..., 0]
    offset = soft_mean - np.einsum("hwc,hwc->hw", slope, guide_mean)
    return mean(slope.astype(np.float32)), mean(offset.astype(np.float32))
