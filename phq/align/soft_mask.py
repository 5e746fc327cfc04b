"""Soft masks on the grid of the crop, and their edges moved to those of the picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phq.align.guided import guided_filter
from phq.detect.blazepose import SIDE
from phq.people import Landmarks
from phq.photos.region import invert_affine, warp_soft
from phq.record import MaskScores
from phq.system.arrays import Floats, Image

RADIUS = 1 / 64
"""Window of the refinement, fraction of the crop's side."""
EPSILON = 1e-4
FIT_SIDE = 128
"""Side of the grid on which the refinement is fitted; it is applied at the crop's own resolution."""
SUPPORT = 0.05
"""Soft values above this count in the mask's confidence."""


def run_to_crop(run: Landmarks, crop_to_source: Floats, size: int) -> NDArray[np.float32]:
    """Soft mask of one run on the size × size grid of the crop; 0 beyond the run's region."""
    crop, to_mask = np.vstack([crop_to_source, [0, 0, 1]]), invert_affine(run.region.to_photo(SIDE))
    return warp_soft(run.mask, to_mask @ crop, size, size)


def soft_mask(runs: list[Landmarks], crop_to_source: Floats, size: int) -> NDArray[np.float32]:
    """Mean of the runs' masks, size × size in 0..1."""
    return np.asarray(np.mean([run_to_crop(run, crop_to_source, size) for run in runs], axis=0), np.float32)


def refine(soft: NDArray[np.float32], crop: Image) -> NDArray[np.float32]:
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
