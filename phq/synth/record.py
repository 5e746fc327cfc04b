"""The record of a portrait: everything the drawing fixes, and nothing that only a detector can say.

Exact: camera, pose, shape, translation, mask, the person's box. From the pixels: the scores of image quality. Never
measured, and so 0, '' or false: keypoints, face evidence, disagreements; ``detectors`` is "synth" with score 1.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from phq.camera.convention import FOCAL, intrinsics
from phq.exchange.formats import View as LabelView
from phq.exchange.reading import label_person, labelled_person
from phq.people.person import Person, Photo, known
from phq.people.record import BodyLabel, Provenance, Source
from phq.pose.body import load_body
from phq.synth.portrait import Portrait
from phq.synth.views import neck_head
from phq.system.arrays import Doubles, Image

LICENCE, SOURCE = "CC0-1.0", "phq synth"
NAME = "synth"
"""Stands as the detector."""


def describe(photo: Photo, portrait: Portrait, picture: Image, mask: Image) -> None:
    """Fill a photo, and its one person, with a drawn portrait (size × size × 3) and its mask (size × size)."""
    size = len(picture)
    digest = hashlib.sha256(picture.tobytes()).hexdigest()
    photo.source = Source(digest, size, size, False, FOCAL * size)
    photo.provenance = Provenance(licence=LICENCE, source=SOURCE, identity=photo.name)
    person = labelled_person(photo, picture, mask / 255.0)
    person.box = replace(person.box, detectors=NAME, detection_score=1.0)
    person.keypoints = replace(known(person.keypoints), pose_presence=1.0)
    state_pose(person, portrait, portrait.view.pose)
    photo.people = [person]


def pose_columns(portrait: Portrait, pose: Doubles, size: int) -> dict[str, Any]:
    """The record of a portrait whose pose is stated as `pose` (24, 3), at image side `size`."""
    person = Person.unmeasured(Photo(Path(), ""))
    person.frame = replace(known(person.frame), image_size=size)
    state_pose(person, portrait, pose)
    return person.record()


def state_pose(person: Person, portrait: Portrait, pose: Doubles) -> None:
    """Set camera, pose and angles of a portrait whose pose is stated as `pose` (24, 3)."""
    label_person(person, LabelView(portrait.view.cam2world, intrinsics(), neck_head(pose)))
    person.body = BodyLabel(
        load_body().name,
        pose,
        portrait.look.betas,
        portrait.transl,
        [True] * len(pose),
        neck_head(pose).reshape(2, 3),
    )
