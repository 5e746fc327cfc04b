"""Stage: photos in which nobody sure is upright are looked at in the three other turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from phq.people.person import Person, Photo, known
from phq.people.record import Source
from phq.photos.turn import TURNS, turned
from phq.stages.contract import Stage
from phq.stages.detect_people import DetectPeople
from phq.system.arrays import Image
from phq.system.elementary import arctan2

SURE = 1.0
"""Evidence from which a photo is left as it is: two networks half believe, or one does and there is a face."""
CLEAR = 1.1
"""Least evidence of the turned picture."""
LEAD = 0.3
"""Least lead of the turned picture over the photo as it is, and over what the detectors see in the other turns."""
UPRIGHT_DEG = 45.0
"""A torso that leans more counts half: it may be lying."""
STRAIGHT_DEG = 20.0
"""Most that the best person's torso may lean after the turn: a camera that was held askew is no quarter turn."""
HALF_SURE = 0.5
"""Scores of both detectors together from which landmarks can settle that a person is upright."""
PRESENT, AGREED_DEG = 0.998, 45.0
"""Least presence and most disagreement of the landmark runs that do. People seen turned are hallucinated upright too,
but of 29 none so surely (docs/log.md)."""


class TurnUpright:
    """Takes a photo turned by a quarter or half, if that is clearly how its people stand.

    A photo is left as it is without another look if it has a person with evidence enough, or with landmarks that settle
    it (`stands`): backs and profiles of headshots, where there is no face to see.

    Everything after that is of the turned picture, and so are the pixels that records speak of
    (`phq.photos.turn.from_turned` leads back); the turn and its lead are part of the record.

    Args:
        detect: the stage that has found the people of the photo as it is.
        rest: the stages between that and this one, in order.
    """

    name = "turn"

    def __init__(self, detect: DetectPeople, rest: Sequence[Stage]) -> None:
        self.detect, self.rest = detect, rest

    def setup(self) -> None:
        """Nothing to load: the other stages have."""

    def process(self, photos: list[Photo]) -> None:
        """Every photo without a sure person, in place."""
        for photo in photos:
            if photo.pixels is not None and (photo.rejected is None or photo.rejected.reason == "no_person"):
                evidence = max(map(evidence_of, photo.people), default=0.0)
                if evidence < SURE and not any(map(stands, photo.people)):
                    self._look_round(photo, photo.pixels, evidence)

    def _look_round(self, photo: Photo, pixels: Image, evidence: float) -> None:
        found = {turn: self.detect.detect([turned(pixels, turn)])[0] for turn in TURNS}
        scores = {turn: max((d.detector_score + d.skeleton_score for d in found[turn]), default=0.0) for turn in TURNS}
        best, second = sorted(TURNS, key=lambda turn: -scores[turn])[:2]
        before = max(evidence, scores[second])
        if scores[best] + 1 < max(CLEAR, before + LEAD):  # whatever face there is
            return
        source = _turned_source(photo, best)
        seen = replace(photo, pixels=turned(pixels, best), source=source, people=[], rejected=None)
        seen.people = [Person(seen, number, detection.part()) for number, detection in enumerate(found[best])]
        for stage in self.rest:
            stage.process([seen])
        surest = max(seen.people, key=evidence_of, default=None)
        after = evidence_of(surest) if surest is not None and _is_straight(surest) else 0.0
        if after >= CLEAR and after - before >= LEAD:
            _take(photo, seen, after - before)
        else:
            seen.release()


def evidence_of(person: Person) -> float:
    """0…3: scores of detector and skeleton network and of a face where the head should be; half for one who leans."""
    face = person.face.score if person.face is not None else 0.0
    total = person.box.detector_score + person.box.skeleton_score + face
    return total if lean_deg(person) <= UPRIGHT_DEG else total / 2


def lean_deg(person: Person) -> float:
    """0…180 between the torso's up axis and up in the picture; 0 where no torso was found."""
    if person.start is None:
        return 0.0
    x, y, _ = person.start.torso_to_cam[:, 1]
    return float(abs(np.degrees(arctan2(x, -y))))


def stands(person: Person) -> bool:
    """Whether all runs of the landmark network surely see an upright person where the detectors half believe in one."""
    runs, seen = person.agreement, person.box.detector_score + person.box.skeleton_score
    if person.rejected is not None or runs is None or seen < HALF_SURE or not _is_straight(person):
        return False
    agreed = max(runs.pass_disagreement_deg, runs.flip_disagreement_deg) <= AGREED_DEG
    return agreed and known(person.keypoints).pose_presence >= PRESENT


def _is_straight(person: Person) -> bool:
    return person.start is not None and lean_deg(person) <= STRAIGHT_DEG


def _turned_source(photo: Photo, degrees: int) -> Source:
    width, height = photo.source.size
    size = (height, width) if degrees != 180 else (width, height)
    return replace(photo.source, image_width=size[0], image_height=size[1], photo_turn_deg=degrees)


def _take(photo: Photo, seen: Photo, lead: float) -> None:
    photo.pixels, photo.people, photo.rejected = known(seen.pixels), seen.people, seen.rejected
    photo.source = replace(seen.source, photo_turn_score=lead)
    for person in photo.people:
        person.photo = photo
