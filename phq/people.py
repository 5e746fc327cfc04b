"""What travels through the stages: a `Photo` with its people, and the contract every stage keeps.

A stage never raises for one bad photo or person: it calls `reject` on it and goes on with the others. Rejected
people and photos are skipped by later stages and keep every field computed so far.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phq.photos.region import Region, apply_affine
from phq.system.arrays import Floats, Image

AUX_SCALE = 2.5
SEEN = 0.5
"""Visibility from which a landmark inside the photo counts as seen."""


@dataclass
class Reject:
    """Why something was thrown out; `reason` is a name of `phq.reasons`."""

    reason: str
    detail: str = ""


@dataclass
class Person:
    """One person of a photo: the growing record, and the pixels that belong to it."""

    photo: Photo
    index: int
    fields: dict[str, Any] = field(default_factory=dict)
    """Fields of `phq.schema.Sample` computed so far."""
    runs: list[Landmarks] = field(default_factory=list)
    """Every run of the landmark network on this person."""
    start: TorsoFit | None = None
    """How torso and head are turned and where they are in the photo, in closed form from the landmarks."""
    fit: TorsoFit | None = None
    """The same, fitted to all evidence."""
    face: Face | None = None
    """The most face-like place where the head should be, photo pixels; its score may be low."""
    belief: Belief | None = None
    """How torso and head are believed to be turned before the fit, and how surely."""
    crop: Image | None = None
    """Stored image, size × size × 3 RGB."""
    crop_mask: Image | None = None
    """Mask of the stored image, size × size, 0 or 255."""
    members: dict[str, bytes] = field(default_factory=dict)
    """Encoded members of the sample: jpg, json, mask.png."""
    rejected: Reject | None = None

    def reject(self, reason: str, detail: str = "") -> None:
        """Throw this person out; the first reason stands."""
        self.rejected = self.rejected or Reject(reason, detail)


@dataclass
class Photo:
    """One input file, its decoded upright pixels, and its people."""

    path: Path
    name: str
    """Path as it is recorded: relative to the input folder, with forward slashes."""
    pixels: Image | None = None
    """H × W × 3 RGB, sRGB, upright."""
    fields: dict[str, Any] = field(default_factory=dict)
    """source_path, source_sha256, image_width, image_height, has_focal, focal_px."""
    people: list[Person] = field(default_factory=list)
    rejected: Reject | None = None

    def reject(self, reason: str, detail: str = "") -> None:
        """Throw the photo out; the first reason stands."""
        self.rejected = self.rejected or Reject(reason, detail)

    def let_go(self) -> None:
        """Forget pixels and people. They refer to the photo and it to them: left so, tens of megabytes would wait until
        Python looks for cycles, which it does by the number of objects and not by their size."""
        self.pixels, self.people = None, []


def living(photos: list[Photo]) -> list[Person]:
    """People that no stage has rejected, in order."""
    return [p for photo in photos if photo.rejected is None for p in photo.people if p.rejected is None]


@dataclass
class Landmarks:
    """One run of the network on one region."""

    region: Region
    points: Floats
    """(33, 2) photo pixels."""
    world: Floats
    """(33, 3) metres, hip-centre origin, OpenCV axes of the upright photo (x right, y down, z away)."""
    visibility: Floats
    """(33,) in 0..1. It is 1.00 for the nose of a person seen from behind: not a proof."""
    presence: float
    """Pose flag, 0..1; also about 1 on a crop of legs: not a proof either."""
    centre: Floats
    """(2, 2) auxiliary landmarks 33 and 34, photo pixels: where the next region goes."""
    mask: NDArray[np.float32]
    """256 × 256 soft mask of this person in region pixels, 0..1."""

    def next_region(self) -> Region:
        """Region of the second pass."""
        d = self.centre[1] - self.centre[0]
        side = max(AUX_SCALE * float(np.hypot(*d)), 8.0)
        return Region(float(self.centre[0, 0]), float(self.centre[0, 1]), side, float(np.arctan2(d[0], -d[1])))


@dataclass(frozen=True)
class Face:
    """Best face of a picture, in its pixels; from `CenterFace` itself in fractions of its side."""

    score: float
    box: Floats
    """(4,) x0, y0, x1, y1."""
    points: Floats
    """(5, 2) subject's right eye, left eye, nose, right and left mouth corner, as the network orders them."""

    def moved(self, affine: Floats) -> Face:
        """The same face through a 2×3 affine that does not turn."""
        return Face(self.score, apply_affine(affine, self.box.reshape(2, 2)).ravel(), apply_affine(affine, self.points))


@dataclass(frozen=True)
class Belief:
    """Rotations about the line of sight to the neck, with standard deviations."""

    torso: Floats
    """3×3 body axes (left, up, front) to OpenCV camera axes; head the same."""
    head: Floats
    torso_sigma: Floats
    """(3,) radians about the body's x, y and z axes: pitch, yaw, roll; head the same."""
    head_sigma: Floats


@dataclass(frozen=True)
class TorsoFit:
    """Torso and head of one person, and where they are in the photo (weak perspective along the line of sight)."""

    torso_to_cam: Floats
    """3×3, body axes to OpenCV camera axes."""
    head_to_cam: Floats
    """3×3, head axes to OpenCV camera axes."""
    neck_px: Floats
    """(2,) neck joint, photo pixels."""
    px_per_metre: float
    """Photo pixels a metre of the template (whose head has the size of this person's head)."""
    residual: float
    """Weighted mean distance of landmarks from the fit, fraction of the head's size."""
    joints: dict[str, Floats]
    """Axis-angle (3,) of the SMPL joints that the fit turns, by name: at least neck and head."""
    betas: Floats = field(default_factory=lambda: np.zeros(10))
    """(10,) shape numbers."""


def box_of(person: Person) -> Floats:
    """(4,) x0, y0, x1, y1 of the person's box, photo pixels."""
    return np.array([person.fields[f"box_{edge}"] for edge in ("x0", "y0", "x1", "y1")])


def visible_landmarks(person: Person) -> np.ndarray:
    """(33,) bool: the landmark lies inside the photo and the network calls it visible."""
    points = person.fields["keypoints_2d"].reshape(33, 2)
    limit = [person.photo.fields["image_width"], person.photo.fields["image_height"]]
    inside = ((points >= 0) & (points <= limit)).all(1)
    return np.asarray(inside & (person.fields["keypoints_visibility"] > SEEN))


def pixels_of(person: Person) -> np.ndarray:
    """H × W × 3 of the person's photo, which must be decoded."""
    assert person.photo.pixels is not None
    return person.photo.pixels
