"""One box a person from the boxes of two detectors."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from phq.detect.boxes import Boxes, area, clip, covered, iou
from phq.detect.candidates import Candidates

SAME = 0.4
"""Intersection over union from which two detectors' boxes are one person."""
INSIDE = 0.85
"""A box this far inside another is a part of that person, unless a skeleton says otherwise."""

TOGETHER = 0.95
"""Sum of two detectors' scores, each in units of its threshold, that makes one person of two half beliefs."""
LAST_RESORT = 0.25
"""NanoDet score from which its best box is taken where nobody else is believed."""
SURE_KEYPOINT = 0.4
"""Score from which a MoveNet keypoint widens the box."""


@dataclass
class Detection:
    """One person: the box in photo pixels, and which detector saw it how surely (0 where it did not)."""

    box: Boxes
    nanodet_score: float = 0.0
    movenet_score: float = 0.0
    keypoints: Boxes = field(default_factory=lambda: np.zeros((17, 3)))

    @property
    def score(self) -> float:
        """Best score of any detector."""
        return max(self.nanodet_score, self.movenet_score)

    @property
    def detectors(self) -> str:
        """Names of the detectors that saw the person, joined by '+'."""
        seen = [("movenet", self.movenet_score), ("nanodet", self.nanodet_score)]
        return "+".join(name for name, score in seen if score > 0)


def fuse(
    nanodet: Candidates, movenet: Candidates, thresholds: tuple[float, float], width: int, height: int
) -> list[Detection]:
    """Unite two detectors' candidates into one list of people, ordered left to right (then top to bottom).

    A pair that overlaps becomes one person with NanoDet's box, whose edges follow the silhouette closer. One sure
    detector is enough, and so are two who half believe in the same box (`TOGETHER`). If nobody is believed, NanoDet's
    best candidate from `LAST_RESORT` up is. What is left inside a surer person without a skeleton of its own is a part
    of that person.

    Args:
        thresholds: of NanoDet and MoveNet. width, height: of the photo, pixels; boxes are cut at its borders.
    """
    people = _paired(nanodet, movenet)
    believed = [p for p in people if _believed(p, *thresholds)]
    if not believed:
        best = max(people, key=lambda p: p.nanodet_score, default=None)
        believed = [best] if best is not None and best.nanodet_score >= LAST_RESORT else []
    return _ordered(_without_parts([_clipped(p, width, height) for p in believed]))


def _believed(person: Detection, nanodet_threshold: float, movenet_threshold: float) -> bool:
    ratios = person.nanodet_score / nanodet_threshold, person.movenet_score / movenet_threshold
    return max(ratios) >= 1 or (min(ratios) > 0 and sum(ratios) >= TOGETHER)


def _paired(nanodet: Candidates, movenet: Candidates) -> list[Detection]:
    people = [Detection(box, float(score)) for box, score in zip(nanodet.boxes, nanodet.scores, strict=True)]
    free = list(range(len(people)))  # NanoDet boxes no skeleton has claimed yet
    for box, score, keypoints in zip(movenet.boxes, movenet.scores, movenet.keypoints, strict=True):
        overlap = iou(box[None], nanodet.boxes[free])[0]
        if not len(overlap) or overlap.max() <= SAME:
            people.append(Detection(box, 0.0, float(score), keypoints))
            continue
        surest = np.where(overlap > SAME, overlap * nanodet.scores[free], 0)  # of several, not the widest guess
        match = people[free.pop(int(np.argmax(surest)))]
        match.movenet_score, match.keypoints = float(score), keypoints
        match.box = _with_keypoints(match.box, keypoints)
    return people


def _with_keypoints(box: Boxes, keypoints: Boxes) -> Boxes:
    """The box, widened to hold the sure keypoints: NanoDet cuts the head off a deep bend."""
    sure = keypoints[keypoints[:, 2] > SURE_KEYPOINT, :2]
    return np.concatenate([np.vstack([box[:2], sure]).min(0), np.vstack([box[2:], sure]).max(0)])


def _clipped(person: Detection, width: int, height: int) -> Detection:
    person.box = clip(person.box, width, height)
    return person


def _without_parts(people: list[Detection]) -> list[Detection]:
    kept: list[Detection] = []
    for person in sorted(people, key=lambda p: (-bool(p.movenet_score), -p.score)):
        inside = [covered(person.box[None], k.box[None])[0, 0] > INSIDE for k in kept]
        doubled = [iou(person.box[None], k.box[None])[0, 0] > SAME for k in kept]
        if area(person.box) > 0 and not any(doubled) and not (any(inside) and not person.movenet_score):
            kept.append(person)
    return kept


def _ordered(people: list[Detection]) -> list[Detection]:
    return sorted(people, key=lambda p: (round(float(p.box[0]), 3), round(float(p.box[1]), 3)))
