"""One box a person from the boxes of two detectors."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from phq.detect.boxes import Boxes, area, clip, covered, iou

SAME = 0.4
"""Intersection over union from which two detectors' boxes are one person."""
INSIDE = 0.85
"""A box this far inside another is a part of that person, unless a skeleton says otherwise."""

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
    nanodet: tuple[Boxes, Boxes], movenet: tuple[Boxes, Boxes, Boxes], width: int, height: int
) -> list[Detection]:
    """Unite two detectors' people into one list, ordered left to right (then top to bottom).

    A pair that overlaps becomes one person with NanoDet's box, whose edges follow the silhouette closer. What is
    left of either detector stays on its own, except a box that lies inside a surer person and has no skeleton.

    Args:
        nanodet: (N, 4) boxes, (N,) scores. movenet: (M, 4) boxes, (M,) scores, (M, 17, 3) keypoints.
        width, height: of the photo, pixels; boxes are cut at its borders.
    """
    people = [Detection(box, float(score)) for box, score in zip(*nanodet, strict=True)]
    free = set(range(len(people)))  # NanoDet boxes no skeleton has claimed yet
    for box, score, keypoints in zip(*movenet, strict=True):
        overlap = iou(box[None], np.array([people[i].box for i in sorted(free)]).reshape(-1, 4))[0]
        match = sorted(free)[int(np.argmax(overlap))] if len(overlap) and overlap.max() > SAME else None
        if match is None:
            people.append(Detection(box, 0.0, float(score), keypoints))
            continue
        free.discard(match)
        people[match].movenet_score, people[match].keypoints = float(score), keypoints
        people[match].box = _with_keypoints(people[match].box, keypoints)
    return _ordered(_without_parts([_clipped(p, width, height) for p in people]))


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
