"""Stage: 33 landmarks of every person, from three runs of one network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from phq.detect.backends.offers import open_backend, wants_of
from phq.detect.body_region import NOBODY, first_region, second_region
from phq.detect.neighbours import views
from phq.people.person import Landmarks, Person, Photo, living
from phq.people.record import Keypoints
from phq.system.arrays import Image

if TYPE_CHECKING:
    from phq.detect.backends.protocols import LandmarkNetwork


class FindLandmarks:
    """Two passes, and the second once more on the mirror image; their median is stored, all three are evidence."""

    name = "keypoints"

    def __init__(self, spec: str = "blazepose") -> None:
        self.spec = spec
        self.wants = wants_of("landmarks", spec)

    def setup(self) -> None:
        """Load the network."""
        self.network: LandmarkNetwork = open_backend("landmarks", self.spec)

    def process(self, photos: list[Photo]) -> None:
        """Batched over all people of the batch; those with neighbours one by one, see `phq.detect.neighbours`."""
        for batch in views([p for p in living(photos) if p.photo.pixels is not None]):
            self._look_at(batch)

    def _look_at(self, people: list[tuple[Person, Image]]) -> None:
        regions = [first_region(person.box.edges, person.photo.source.image_height) for person, _ in people]
        jobs = [(pixels, region, False) for (_, pixels), region in zip(people, regions, strict=True)]
        first = self.network.run(jobs)
        again = [(job[0], second_region(run), m) for job, run in zip(jobs, first, strict=True) for m in (False, True)]
        second = self.network.run(again)
        for i, (person, _) in enumerate(people):
            person.runs = [first[i], *second[2 * i : 2 * i + 2]]
            _store(person)


def median(runs: list[Landmarks]) -> Keypoints:
    """Median of every number over the runs."""
    parts = [[run.points, run.world, run.visibility, run.presence] for run in runs]
    points, world, visibility, presence = (np.median(part, axis=0) for part in zip(*parts, strict=True))
    return Keypoints(points, world, visibility, float(presence))


def _store(person: Person) -> None:
    found = median(person.runs)
    if not all(np.isfinite(v).all() for v in (found.keypoints_2d, found.keypoints_3d, found.keypoints_visibility)):
        person.reject("no_landmarks", "the landmark network gave no finite numbers")
        return
    person.keypoints = found
    if found.pose_presence < NOBODY:
        person.reject(
            "no_person", f"the landmark network sees no body in this box (presence {found.pose_presence:.3f})"
        )
