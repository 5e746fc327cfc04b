"""The record of a portrait: everything the drawing fixes, and nothing that only a detector can say.

Exact: camera, pose, shape, translation, mask, the person's box. From the pixels: the scores of image quality. Never
measured, and so 0, '' or false: keypoints, face evidence, disagreements; ``detectors`` is "synth" with score 1.
"""

from __future__ import annotations

import hashlib
from typing import Any

from phq.camera.convention import FOCAL, intrinsics
from phq.exchange.formats import View as LabelView
from phq.exchange.reading import mask_fields, unknown_fields, view_fields, whole_picture_fields
from phq.people import Person, Photo
from phq.pose.body import load_body
from phq.stages.encode_sample import photo_fields
from phq.stages.score_person import image_scores
from phq.synth.portrait import Portrait
from phq.synth.views import neck_head
from phq.system.arrays import Doubles, Image

LICENCE, SOURCE = "CC0-1.0", "phq synth"
NAME = "synth"
"""Stands as the detector."""


def describe(photo: Photo, portrait: Portrait, picture: Image, mask: Image) -> None:
    """Fill a photo, and its one person, with a drawn portrait (size × size × 3) and its mask (size × size)."""
    size = len(picture)
    photo.fields |= {
        "source_sha256": hashlib.sha256(picture.tobytes()).hexdigest(), "image_width": size, "image_height": size,
        "has_focal": False, "focal_px": FOCAL * size, "licence": LICENCE, "source": SOURCE, "identity": photo.name,
    }  # fmt: skip
    person = Person(photo, 0, crop=picture, crop_mask=mask)
    unknown = {name: value for name, value in unknown_fields().items() if name not in photo_fields(photo)}
    person.fields = unknown | whole_picture_fields(size) | mask_fields(mask / 255.0, mask, known=True)
    person.fields |= label_fields(portrait, portrait.view.pose, size)
    person.fields |= {"detectors": NAME, "detection_score": 1.0, "pose_presence": 1.0} | image_scores(person)
    photo.people = [person]


def label_fields(portrait: Portrait, pose: Doubles, size: int) -> dict[str, Any]:
    """Camera, pose and angles of a portrait whose pose is stated as `pose` (24, 3)."""
    stated = view_fields(LabelView(portrait.view.cam2world, intrinsics(), neck_head(pose)), size)
    return stated | {
        "body_model": load_body().name,
        "smpl_pose": pose,
        "smpl_betas": portrait.look.betas,
        "smpl_transl": portrait.transl,
        "pose_observed": [True] * len(pose),
    }
