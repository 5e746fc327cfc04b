"""Stage: the mask of each person in the stored crop, and of nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from phq.align.padding import is_padding
from phq.backends.offers import open_backend, wants_of
from phq.keypoints.blazepose import SIDE, Landmarks
from phq.keypoints.region import invert_affine, warp_soft
from phq.mask.guided import guided_filter
from phq.work import Floats, Image, Person, Photo, living

if TYPE_CHECKING:
    from phq.backends.protocols import MaskNetwork

RADIUS = 1 / 64
"""Window of the refinement, fraction of the crop's side."""
EPSILON = 1e-4
FIT_SIDE = 128
"""Side of the grid on which the refinement is fitted; it is applied at the crop's own resolution."""
SUPPORT = 0.05
"""Soft values above this take part in the mask's confidence."""


class MaskPerson:
    """Soft masks of all landmark runs, averaged on the crop's grid and led to its edges."""

    name = "mask"

    def __init__(self, word: str = "landmarks") -> None:
        self.word = word
        self.wants = wants_of("mask", word)

    def setup(self) -> None:
        """Load the network, if there is one beside that of the landmarks."""
        self.network: MaskNetwork = open_backend("mask", self.word)

    def process(self, photos: list[Photo]) -> None:
        """Every person that has a crop."""
        for person in living(photos):
            if person.crop is not None:
                mask_person(person, self.network)


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


def mask_person(person: Person, network: MaskNetwork) -> None:
    """Set the binary mask (0 beyond the photo) and its scores."""
    assert person.crop is not None
    size = person.crop.shape[0]
    hint = soft_mask(person.runs, person.fields["crop_to_source"], size)
    soft = refine(network.segment(person.crop, hint), person.crop)
    soft[is_padding(person.fields["photo_in_crop"], size)] = 0
    inside = soft > 0.5
    support = soft[soft > SUPPORT]
    person.crop_mask = np.where(inside, 255, 0).astype(np.uint8)
    person.fields |= {
        "mask_fraction": float(inside.mean()),
        "mask_confidence": float(np.abs(2 * support - 1).mean()) if support.size else 0.0,
    }
