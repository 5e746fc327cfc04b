"""Trials of networks that take a whole photo: detector, skeleton and landmark network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from phq.detect.backends.trial import DOUBLED, MIRRORED, Trial, changed, shaped, within
from phq.detect.body_region import first_region
from phq.detect.boxes import iou
from phq.detect.candidates import Candidates
from phq.detect.nanodet import NanoDet
from phq.people.person import Landmarks
from phq.photos.region import Region
from phq.schema import HEAD_DIRECTIONS
from phq.system.arrays import Floats, Image

COCO_LEFT_RIGHT = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)
OVERLAP = 0.5
"""Least intersection over union of a box and the same person's in a changed picture."""
SURE = 0.4
"""Score from which a keypoint is expected to be there again."""
PRESENT = 0.5
"""Presence from which a landmark network is expected to see the same in a changed picture."""
NEAR = 0.1
"""How far from where it was, fraction of the person's height: the median over the keypoints."""


class DetectorTrial(Trial):
    """Boxes; keypoints where there are some."""

    def ask(self, picture: Image) -> Candidates:
        (found,) = self.backend.detect([picture], self.backend.threshold, True)
        return self._typed(found)

    def arrays(self, answer: Candidates) -> Sequence[Floats]:
        return answer.boxes, answer.scores, answer.keypoints

    def wrong(self, answer: Candidates) -> Iterator[str]:
        number = len(answer.scores)
        yield from shaped("boxes", answer.boxes, (number, 4))
        yield from shaped("scores", answer.scores, (number,))
        yield from shaped("keypoints", answer.keypoints, (number, 17, 3))
        yield from within("scores", answer.scores)
        yield from within("scores of keypoints", answer.keypoints[..., 2])
        if (np.diff(answer.scores) > 0).any():
            yield "candidates are not ordered best first"
        if (answer.boxes[:, 2:] < answer.boxes[:, :2]).any():
            yield "a box ends before it begins"

    def alike(self, answer: Candidates, picture: Image, change: str) -> list[bool]:
        other = brought_back(self.ask(changed(picture, change)), change, picture.shape[1])
        believed = answer.at(answer.scores >= self.backend.threshold)
        return [same_person(believed.at([i]), other) for i in range(len(believed))]

    def _typed(self, found: Any) -> Candidates:
        if not isinstance(found, Candidates):
            raise TypeError(f"an answer is a {type(found).__name__}, not a phq.detect.candidates.Candidates")
        return found


class SkeletonTrial(DetectorTrial):
    """Keypoints on what the embedded detector finds."""

    def __init__(self, backend: Any) -> None:
        super().__init__(backend)
        self.detector = NanoDet()

    def ask(self, picture: Image) -> Candidates:
        (boxes,) = self.detector.detect([picture], self.detector.threshold, True)
        return self._typed(self.backend.find(picture, boxes, (self.detector.threshold, self.backend.threshold), True))


class LandmarkTrial(Trial):
    """On the surest person that the embedded detector finds, or else on the whole picture."""

    def __init__(self, backend: Any) -> None:
        super().__init__(backend)
        self.detector = NanoDet()

    def ask(self, picture: Image) -> Landmarks:
        return self._run(picture, self._region(picture), False)

    def _region(self, picture: Image) -> Region:
        (boxes,) = self.detector.detect([picture], self.detector.threshold, False)
        whole = np.array([0.0, 0.0, picture.shape[1], picture.shape[0]])
        return first_region(boxes.boxes[0] if len(boxes) else whole, picture.shape[0])

    def _run(self, picture: Image, region: Region, mirrored: bool) -> Landmarks:
        (found,) = self.backend.run([(picture, region, mirrored)])
        if not isinstance(found, Landmarks):
            raise TypeError(f"an answer is a {type(found).__name__}, not a phq.people.person.Landmarks")
        return found

    def arrays(self, answer: Landmarks) -> Sequence[Floats]:
        return answer.points, answer.world, answer.visibility, np.array(answer.presence), answer.centre, answer.mask

    def wrong(self, answer: Landmarks) -> Iterator[str]:
        yield from shaped("points", answer.points, (33, 2))
        yield from shaped("world", answer.world, (33, 3))
        yield from shaped("visibility", answer.visibility, (33,))
        yield from shaped("presence", answer.presence, ())
        yield from shaped("centre", answer.centre, (2, 2))
        yield from shaped("mask", answer.mask, (256, 256))
        for name in ("visibility", "presence", "mask"):
            yield from within(name, getattr(answer, name))

    def alike(self, answer: Landmarks, picture: Image, change: str) -> list[bool]:
        if answer.presence < PRESENT:
            return []
        region = self._region(picture)
        if change == MIRRORED:
            points = self._run(picture, region, True).points
        else:
            twice = Region(2 * region.cx, 2 * region.cy, 2 * region.side, region.angle)
            points = self._run(changed(picture, change), twice, False).points / 2
        off = np.linalg.norm(answer.points - points, axis=1)
        return [bool(np.median(off) < NEAR * np.ptp(answer.points[:, 1]))]


def brought_back(found: Candidates, change: str, width: int) -> Candidates:
    """Candidates of a changed picture in pixels of the unchanged one, `width` pixels wide."""
    if change == DOUBLED:
        return replace(found, boxes=found.boxes / 2, keypoints=found.keypoints / [2, 2, 1])
    x0, y0, x1, y1 = found.boxes.T
    boxes = np.column_stack([width - x1, y0, width - x0, y1])
    keypoints = found.keypoints[:, list(COCO_LEFT_RIGHT)] * [-1, 1, 1] + [width, 0, 0]
    facing = np.column_stack([-found.facing[:, 0] % len(HEAD_DIRECTIONS), found.facing[:, 1]])
    return Candidates(boxes, found.scores, keypoints, facing)


def same_person(person: Candidates, others: Candidates) -> bool:
    """Whether one candidate is among others, with the keypoints, if both have some, about where they were."""
    overlap = iou(person.boxes, others.boxes)[0]
    if not len(overlap) or overlap.max() < OVERLAP:
        return False
    here, there = person.keypoints[0], others.keypoints[int(overlap.argmax())]
    both = (here[:, 2] > SURE) & (there[:, 2] > SURE)
    if not both.any():
        return True
    off = np.linalg.norm(here[both, :2] - there[both, :2], axis=1)
    return bool(np.median(off) < NEAR * (person.boxes[0, 3] - person.boxes[0, 1]))
