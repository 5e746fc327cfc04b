"""Stage: is there a face where the fitted head is? Evidence only; nobody is rejected for having none."""

from __future__ import annotations

import numpy as np

from phq.camera.convention import project
from phq.face.centerface import CenterFace, Face
from phq.pose import template
from phq.pose.rotations import rotvec_to_rotmat
from phq.work import Floats, Person, Photo, living

FOUND = 0.5
"""Score from which a face counts as found."""
NEAR_HEAD = 0.25
"""A face whose centre is farther from the head's (fraction of the crop's side) is somebody else's."""


class FindFace:
    """CenterFace on the crop."""

    name = "face"

    def setup(self) -> None:
        """Load the network."""
        self.network = CenterFace()

    def process(self, photos: list[Photo]) -> None:
        """Every person that has a crop."""
        for person in living(photos):
            if person.crop is not None:
                person.fields |= face_fields(self.network.detect(person.crop), person)


def head_centre(person: Person) -> Floats:
    """(2,) middle of the ears of the posed template in the crop, fraction of its side."""
    cam2world = person.fields["cam2world"]
    neck, head = rotvec_to_rotmat(person.fields["neck_head_pose"].reshape(2, 3))
    joint = neck @ template.symmetric_points(("head",))[0]
    ears = template.symmetric_points(("left_ear", "right_ear")).mean(0) - template.symmetric_points(("head",))[0]
    return project(joint + neck @ head @ ears, np.asarray(cam2world))


def face_fields(face: Face, person: Person) -> dict[str, object]:
    """Record fields; zeros where no face was found at the head."""
    size = person.fields["image_size"]
    centre = (face.box[:2] + face.box[2:]) / 2
    found = face.score > FOUND and float(np.linalg.norm(centre - head_centre(person))) < NEAR_HEAD
    return {
        "face_found": bool(found),
        "face_score": face.score if found else 0.0,
        "face_box": face.box * size if found else np.zeros(4),
        "face_points": face.points.ravel() * size if found else np.zeros(10),
    }
