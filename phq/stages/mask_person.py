"""Stage: the mask of each person in the stored crop, without the other people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phq.align.padding import is_padding
from phq.align.soft_mask import binary, mask_scores, refine, soft_mask
from phq.detect.backends.offers import open_backend, wants_of
from phq.people.person import Person, Photo, known, living

if TYPE_CHECKING:
    from phq.detect.backends.protocols import MaskNetwork


class MaskPerson:
    """Soft masks of all landmark runs, averaged on the crop's grid and led to its edges."""

    name = "mask"

    def __init__(self, spec: str = "landmarks") -> None:
        self.spec = spec
        self.wants = wants_of("mask", spec)

    def setup(self) -> None:
        """Load the network, if it is not that of the landmarks."""
        self.network: MaskNetwork = open_backend("mask", self.spec)

    def process(self, photos: list[Photo]) -> None:
        """Every person that has a crop."""
        for person in living(photos):
            if person.crop is not None:
                mask_person(person, self.network)


def mask_person(person: Person, network: MaskNetwork) -> None:
    """Set the binary mask (0 beyond the photo) and its scores."""
    crop, frame = known(person.crop), known(person.frame)
    hint = soft_mask(person.runs, frame.crop_to_source, frame.image_size)
    soft = refine(network.segment(crop, hint), crop)
    soft[is_padding(frame.photo_in_crop, frame.image_size)] = 0
    person.crop_mask, person.mask_scores = binary(soft), mask_scores(soft)
