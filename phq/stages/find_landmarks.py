"""Stage: 33 landmarks of every person, from three runs of one network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from phq.detect.backends.offers import open_backend, wants_of
from phq.detect.body_region import NOBODY, first_region, second_region
from phq.people import Landmarks, Person, Photo, box_of, living, pixels_of
from phq.system.arrays import Floats

if TYPE_CHECKING:
    from phq.detect.backends.protocols import LandmarkNetwork


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
