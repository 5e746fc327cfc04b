"""Stages: is there a face where the head should be? Evidence only; nobody is rejected for having none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from phq.camera.convention import camera_from_torso, project
from phq.camera.rotations import rotvec_to_rotmat
from phq.detect.backends.offers import open_backend, wants_of
from phq.detect.centerface import FACE_FOUND
from phq.people import Face, Person, Photo, TorsoFit, living, pixels_of
from phq.photos.region import Region, invert_affine, sample
from phq.pose import template
from phq.stages.crop_headshot import crop_box
from phq.system.arrays import Floats

if TYPE_CHECKING:
    from phq.detect.backends.protocols import FaceNetwork

NEAR_HEAD = 0.25
"""A face whose centre is farther from the head's (fraction of the crop's side) is somebody else's."""


class FindFace:
    """A face network on the headshot that the closed-form fit would cut."""

    name = "face"

    def __init__(self, word: str = "centerface") -> None:
        self.word = word
        self.wants = wants_of("face", word)

    def setup(self) -> None:
        """Load the network."""
        self.network: FaceNetwork = open_backend("face", self.word)

    def process(self, photos: list[Photo]) -> None:
        """Every person that has a start."""
        for person in living(photos):
            if person.start is not None:
                region = face_region(person.start)
                found = self.network.detect(sample(pixels_of(person), region, self.network.side))
                person.face = found.moved(region.to_photo(1))


class StoreFace:
    """The face in the stored picture, if it is that of the fitted head."""

    name = "store_face"

    def setup(self) -> None:
        """Nothing to load."""

    def process(self, photos: list[Photo]) -> None:
        """Every person that has a crop."""
        for person in living(photos):
            if person.face is not None and "crop_to_source" in person.fields:
                to_crop = invert_affine(person.fields["crop_to_source"])
                person.fields |= face_fields(person.face.moved(to_crop), person)


def face_region(start: TorsoFit) -> Region:
    """Square of the photo that the start's own headshot would be."""
    box = crop_box(start, camera_from_torso(start.torso_to_cam))
    return Region(box.x0 + box.side / 2, box.y0 + box.side / 2, box.side)


def head_centre(person: Person) -> Floats:
    """(2,) middle of the ears of the posed template in the crop, fraction of its side."""
    cam2world = person.fields["cam2world"]
    neck, head = rotvec_to_rotmat(person.fields["neck_head_pose"].reshape(2, 3))
    joint = neck @ template.symmetric_points(("head",))[0]
    ears = template.symmetric_points(("left_ear", "right_ear")).mean(0) - template.symmetric_points(("head",))[0]
    return project(joint + neck @ head @ ears, np.asarray(cam2world))


def face_fields(face: Face, person: Person) -> dict[str, object]:
    """Record fields of a face in crop pixels; zeros where none was found at the head."""
    size = person.fields["image_size"]
    centre = (face.box[:2] + face.box[2:]) / 2
    off = float(np.linalg.norm(centre / size - head_centre(person)))
    found = face.score > FACE_FOUND and off < NEAR_HEAD
    return {
        "face_found": bool(found),
        "face_score": face.score if found else 0.0,
        "face_box": face.box if found else np.zeros(4),
        "face_points": face.points.ravel() if found else np.zeros(10),
        "face_embedding": "",
        "face_network": "",
    }
