"""Stage: 33 landmarks of every person, from three runs of one network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from phq.backends.offers import open_backend, wants_of
from phq.keypoints.blazepose import Landmarks, box_region
from phq.keypoints.region import Region
from phq.work import Floats, Person, Photo, living

if TYPE_CHECKING:
    from phq.backends.protocols import LandmarkNetwork

BORDER = 0.985
"""A box whose lower edge is below this fraction of the photo's height is cut off there."""
BODY_HEIGHT = 3.4
"""Height of a standing person's box over its width."""
NOBODY = 0.02
"""Presence below which a detector's box holds nobody (noise: under 0.005; the least of 960 rendered people: 0.036)."""
SEEN = 0.5
"""Visibility from which a landmark inside the photo counts as seen."""
LONGEST = 2.8
"""At most this many times the visible height is assumed to go on below the border."""


def first_region(box: Floats, photo_height: int) -> Region:
    """Region of the first pass: the box, continued downwards as far as the body goes on beyond the photo.

    The network has learned whole bodies; centred on a headshot's box it puts the hips on the chest. On rendered
    people this alone takes the median torso yaw from 23° to 15° (docs/log.md).
    """
    width, height = box[2] - box[0], box[3] - box[1]
    longer = float(np.clip(BODY_HEIGHT * width / height, 1, LONGEST)) if box[3] > BORDER * photo_height else 1.0
    return box_region(np.array([box[0], box[1], box[2], box[1] + height * longer]))


class FindLandmarks:
    """Two passes, and the second once more on the mirror image; their median is stored, all three are evidence."""

    name = "keypoints"
    def __init__(self, word: str = "blazepose") -> None:
        self.word = word
        self.wants = wants_of("landmarks", word)

    def setup(self) -> None:
        """Load the network."""
        self.network: LandmarkNetwork = open_backend("landmarks", self.word)

    def process(self, photos: list[Photo]) -> None:
        """Batched over all people of the batch."""
        people = [p for p in living(photos) if p.photo.pixels is not None]
        jobs = [(pixels_of(p), first_region(box_of(p), p.photo.fields["image_height"]), False) for p in people]
        first = self.network.run(jobs)
        again = [(job[0], second_region(run), m) for job, run in zip(jobs, first, strict=True) for m in (False, True)]
        second = self.network.run(again)
        for i, person in enumerate(people):
            person.runs = [first[i], *second[2 * i : 2 * i + 2]]
            _store(person)


def second_region(run: Landmarks) -> Region:
    """Region of the second pass; the first one again where the network gave no finite numbers."""
    region = run.next_region()
    return region if np.isfinite([region.cx, region.cy, region.side, region.angle]).all() else run.region


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


def _median(runs: list[Landmarks], name: str) -> Floats:
    return np.asarray(np.median([getattr(run, name) for run in runs], axis=0))


def _store(person: Person) -> None:
    values = {name: _median(person.runs, name) for name in ("points", "world", "visibility")}
    if not all(np.isfinite(v).all() for v in values.values()):
        person.reject("no_landmarks", "the landmark network gave no finite numbers")
        return
    presence = float(np.median([run.presence for run in person.runs]))
    person.fields |= {
        "keypoints_2d": values["points"].ravel(),
        "keypoints_3d": values["world"].ravel(),
        "keypoints_visibility": values["visibility"],
        "pose_presence": presence,
    }
    if presence < NOBODY:
        person.reject("no_person", f"the landmark network sees no body in this box (presence {presence:.3f})")
