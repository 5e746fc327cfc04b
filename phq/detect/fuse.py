"""One box a person from the boxes of two detectors."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from phq.detect.boxes import Boxes, area, clip, covered, holds_middle, iou
from phq.detect.candidates import Candidates
from phq.people.record import PersonBox
from phq.schema import HEAD_DIRECTIONS, rounded

SAME = 0.4
"""Intersection over union from which two detectors' boxes are one person."""
INSIDE = 0.85
"""A box this far inside another is a part of that person, unless a skeleton says otherwise."""
MEMBER = 0.6
"""A person this far inside a box may be one of the several whom it frames."""
FRAMED = 0.6
"""Intersection over union of a box and the frame of its members from which it is a group and not a person."""

TOGETHER = 0.95
"""Sum of two detectors' scores, each in units of its threshold, that makes one person of two half beliefs."""
LAST_RESORT = 0.625
"""Score, in units of the threshold, from which the detector's best box is taken if no other is believed, or if none
of the believed holds the middle of the photo and this one does."""
PROMINENT = 0.15
"""Least fraction of the photo that such a box in the middle fills."""
SURE_KEYPOINT = 0.4
"""Score from which a keypoint widens the box."""
NETWORKS = ("nanodet", "movenet")
"""Names of the detector and the skeleton network, by default."""


@dataclass
class Detection:
    """One person: the box in photo pixels, and each network's score (0 where it missed the person)."""

    box: Boxes
    detector_score: float = 0.0
    skeleton_score: float = 0.0
    keypoints: Boxes = field(default_factory=lambda: np.zeros((17, 3)))
    networks: tuple[str, str] = NETWORKS
    """Names of the detector and the skeleton network."""
    facing: Boxes = field(default_factory=lambda: np.zeros(2))
    """See `phq.detect.candidates.Candidates`."""

    @property
    def score(self) -> float:
        """Best score of any detector."""
        return max(self.detector_score, self.skeleton_score)

    @property
    def detectors(self) -> str:
        """Names of the networks that found the person, sorted, joined by '+'."""
        scored = zip(self.networks, (self.detector_score, self.skeleton_score), strict=True)
        return "+".join(sorted(name for name, score in scored if score > 0))

    @property
    def has_skeleton(self) -> bool:
        """A network gave keypoints of this person, not only a box."""
        return self.skeleton_score > 0 or bool(self.keypoints[:, 2].any())

    def part(self) -> PersonBox:
        """The detection as the record has it; the box rounded as it is stored, so that annotating again starts from
        the very same."""
        keypoints = self.keypoints if self.has_skeleton else np.zeros((17, 3))  # no joints, but moved with the box
        x0, y0, x1, y1 = rounded("box_x0", self.box)
        direction, certainty = self.facing.tolist()
        return PersonBox(
            box_x0=x0,
            box_y0=y0,
            box_x1=x1,
            box_y1=y1,
            detectors=self.detectors,
            detection_score=self.score,
            detector_score=self.detector_score,
            skeleton_score=self.skeleton_score,
            has_coco_keypoints=bool(keypoints[:, 2].any()),
            coco_keypoints=keypoints,
            head_direction=HEAD_DIRECTIONS[int(direction)] if certainty > 0 else "",
            head_direction_score=certainty,
        )


def fuse(
    boxes: Candidates, skeletons: Candidates, thresholds: tuple[float, float], width: int, height: int,
    networks: tuple[str, str] = NETWORKS,
) -> list[Detection]:  # fmt: skip
    """Unite two networks' candidates into one list of people, ordered left to right (then top to bottom).

    A pair that overlaps becomes one person with the detector's box, whose edges follow the silhouette closer. One sure
    network is enough, and so are two that half believe in the same box (`TOGETHER`). If no one is believed, the
    detector's best candidate from `LAST_RESORT` up is. What is left inside a surer person without a
    skeleton of its own is a part of that person.

    Args:
        thresholds: of detector and skeleton network.
        networks: their names.
        width, height: of the photo, pixels; boxes are cut at its borders.
    """
    people = _paired(boxes, skeletons, networks)
    believed = [p for p in people if _believed(p, *thresholds)]
    believed += _last_resort(people, believed, thresholds[0], width, height)
    return _ordered(_without_groups(_without_parts([_clipped(p, width, height) for p in believed])))


def _believed(person: Detection, detector: float, skeleton: float) -> bool:
    ratios = person.detector_score / detector, person.skeleton_score / skeleton
    return max(ratios) >= 1 or (min(ratios) > 0 and sum(ratios) >= TOGETHER)


def _last_resort(
    people: list[Detection], believed: list[Detection], threshold: float, width: int, height: int
) -> list[Detection]:
    """The detector's best box, if no person is believed, or none in the middle of the photo."""
    if believed:
        if holds_middle(np.stack([p.box for p in believed]), width, height).any():
            return []
        boxes = clip(np.stack([p.box for p in people]), width, height)
        prominent = holds_middle(boxes, width, height) & (area(boxes) >= PROMINENT * width * height)
        people = [person for person, central in zip(people, prominent, strict=True) if central]
    best = max(people, key=lambda p: p.detector_score, default=None)
    return [best] if best is not None and best.detector_score >= LAST_RESORT * threshold else []


def _paired(boxes: Candidates, skeletons: Candidates, networks: tuple[str, str]) -> list[Detection]:
    found = zip(boxes.boxes, boxes.scores, boxes.keypoints, boxes.facing, strict=True)
    people = [Detection(box, float(score), 0.0, points, networks, facing) for box, score, points, facing in found]
    free = list(range(len(people)))  # boxes no skeleton has claimed yet
    for box, score, keypoints in zip(skeletons.boxes, skeletons.scores, skeletons.keypoints, strict=True):
        overlap = iou(box[None], boxes.boxes[free])[0]
        if not len(overlap) or overlap.max() <= SAME:
            people.append(Detection(box, 0.0, float(score), keypoints, networks))
            continue
        surest = np.where(overlap > SAME, overlap * boxes.scores[free], 0)  # of several, not the widest guess
        match = people[free.pop(int(np.argmax(surest)))]
        match.skeleton_score, match.keypoints = float(score), keypoints
        match.box = _with_keypoints(match.box, keypoints)
    return people


def _with_keypoints(box: Boxes, keypoints: Boxes) -> Boxes:
    """The box, widened to hold the sure keypoints: NanoDet for one cuts the head off a deep bend."""
    sure = keypoints[keypoints[:, 2] > SURE_KEYPOINT, :2]
    return np.concatenate([np.vstack([box[:2], sure]).min(0), np.vstack([box[2:], sure]).max(0)])


def _clipped(person: Detection, width: int, height: int) -> Detection:
    person.box = clip(person.box, width, height)
    return person


def _without_parts(people: list[Detection]) -> list[Detection]:
    kept: list[Detection] = []
    for person in sorted(people, key=lambda p: (-p.has_skeleton, -p.score)):
        inside = [covered(person.box[None], k.box[None])[0, 0] > INSIDE for k in kept]
        doubled = [iou(person.box[None], k.box[None])[0, 0] > SAME for k in kept]
        if area(person.box) > 0 and not any(doubled) and not (any(inside) and not person.has_skeleton):
            kept.append(person)
    return kept


def _without_groups(people: list[Detection]) -> list[Detection]:
    return [person for person in people if not _is_group(person, people)]


def _is_group(person: Detection, people: list[Detection]) -> bool:
    """The box is no more than the frame round two or more surer people."""
    surer = np.array([p.box for p in people if p.score > person.score]).reshape(-1, 4)
    members = surer[covered(surer, person.box[None])[:, 0] > MEMBER]
    if person.has_skeleton or len(members) < 2:
        return False
    frame = np.concatenate([members[:, :2].min(0), members[:, 2:].max(0)])
    return bool(iou(frame[None], person.box[None])[0, 0] > FRAMED)


def _ordered(people: list[Detection]) -> list[Detection]:
    return sorted(people, key=lambda p: (round(float(p.box[0]), 3), round(float(p.box[1]), 3)))
