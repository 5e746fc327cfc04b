"""What travels through the stages: a `Photo` with its people, and the contract every stage keeps.

A stage never raises for one bad photo or person: it calls `reject` on it and goes on with the others. Rejected
people and photos are skipped by later stages and keep every field computed so far.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from phq.resources import Resources, together

if TYPE_CHECKING:
    from phq.face.centerface import Face
    from phq.keypoints.blazepose import Landmarks
    from phq.pose.belief import Belief
    from phq.pose.closed_form import TorsoFit

Image = NDArray[np.uint8]
Floats = NDArray[np.floating[Any]]


@dataclass
class Reject:
    """Why something was thrown out; `reason` is a name of `phq.quality.reasons`."""

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


class Stage(Protocol):
    """`setup` once a worker (loads weights), then `process` for every batch, changing it in place.

    Every stage is retry-safe: the same batch again gives the same result, and nothing is written anywhere. One that
    wants more than a core says so in an attribute ``wants``, a `phq.resources.Resources`.
    """

    name: str

    def setup(self) -> None:
        """Load what the stage needs; called once in each worker, never at import."""

    def process(self, photos: list[Photo]) -> None:
        """Work on a batch of photos and their living people, in place."""


def wanted(chain: Iterable[Stage]) -> Resources:
    """What a worker wants that runs these stages."""
    return together(getattr(stage, "wants", Resources()) for stage in chain)
