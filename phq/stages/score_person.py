"""Stage: every score of a person that needs pixels or the finished labels."""

from __future__ import annotations

import numpy as np

from phq.detect.centerface import CenterFace
from phq.people import Person, Photo, box_of, living
from phq.photos.region import apply_affine, invert_affine
from phq.quality.appearance import appearance
from phq.quality.blocks import blockiness
from phq.quality.blur import laplacian_variance, sharpness
from phq.quality.exposure import exposure
from phq.quality.flip import p_flip
from phq.quality.framing import hand_on_head, head_outside
from phq.quality.hashes import phash, phash_mirror
from phq.quality.naturalness import naturalness
from phq.quality.noise import noise_sigma
from phq.quality.occlusion import occluded
from phq.quality.second_face import second_face
from phq.quality.sigma import yaw_sigma_deg

GRID = 64
"""Cells a side on which boxes are united."""


class ScorePerson:
    """Scores only; deciding is done over stored scores."""

    name = "score"

    def setup(self) -> None:
        """Load the face network."""
        self.faces = CenterFace()

    def process(self, photos: list[Photo]) -> None:
        """Every person that has a crop and its mask."""
        for person in living(photos):
            if person.crop is not None and person.crop_mask is not None:
                person.fields |= image_scores(person)
                person.fields |= framing_scores(person)
                person.fields |= self.faces_scores(person)
                person.fields |= {"p_flip": p_flip(person.fields), "others_in_crop": others_in_crop(person)}
                person.fields["yaw_sigma_deg"] = yaw_sigma_deg(person.fields)

    def faces_scores(self, person: Person) -> dict[str, object]:
        """The score that takes a network."""
        assert person.crop is not None
        assert person.crop_mask is not None
        return {"second_face": second_face(self.faces, person.crop, person.crop_mask)}


def image_scores(person: Person) -> dict[str, object]:
    """Scores of the stored pixels."""
    crop, mask = person.crop, person.crop_mask
    assert crop is not None
    assert mask is not None
    luminance, under, over = exposure(crop, mask)
    return {
        "blur": sharpness(crop, mask, person.fields["source_px_per_px"]),
        "laplacian_var": laplacian_variance(crop),
        "luminance": luminance,
        "underexposed": under,
        "overexposed": over,
        "niqe": naturalness(crop, mask, person.fields["source_px_per_px"]),
        "blockiness": blockiness(crop, person.fields["crop_to_source"], photo_size(person)),
        "noise": noise_sigma(crop, person.fields["photo_in_crop"], person.fields["source_px_per_px"]),
        "appearance": appearance(crop, mask, person.fields["photo_in_crop"]),
        "phash": phash(crop),
        "phash_mirror": phash_mirror(crop),
    }


def photo_size(person: Person) -> tuple[int, int]:
    """Width and height of the upright photo."""
    return person.photo.fields["image_width"], person.photo.fields["image_height"]


def framing_scores(person: Person) -> dict[str, object]:
    """Scores of what stands in front of head and shoulders, and of the photo's border."""
    fields = person.fields | dict(zip(("image_width", "image_height"), photo_size(person), strict=True))
    return {
        "occluded_fraction": occluded(person),
        "head_outside": head_outside(fields),
        "hand_on_head": hand_on_head(fields),
    }


def others_in_crop(person: Person) -> float:
    """Fraction of the crop under other people's boxes."""
    size = person.fields["image_size"]
    to_crop = invert_affine(person.fields["crop_to_source"])
    grid = np.zeros((GRID, GRID), bool)
    for other in person.photo.people:
        if other is person:
            continue
        corners = apply_affine(to_crop, box_of(other).reshape(2, 2)).ravel() * (GRID / size)
        x0, y0, x1, y1 = np.clip(np.rint(corners), 0, GRID).astype(int)
        grid[y0:y1, x0:x1] = True
    return float(grid.mean())
