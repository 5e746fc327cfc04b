"""Stage: the mask of each person in the stored crop, and of nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from phq.align.padding import is_padding
from phq.align.soft_mask import refine, soft_mask
from phq.detect.backends.offers import open_backend, wants_of
from phq.people import Person, Photo, living

if TYPE_CHECKING:
    from phq.detect.backends.protocols import MaskNetwork

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
