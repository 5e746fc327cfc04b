"""Is there a face at the fitted head? Evidence only: having none rejects no person."""

from __future__ import annotations

from phq.camera.convention import project
from phq.camera.rotations import rotvec_to_rotmat
from phq.detect.centerface import FACE_FOUND
from phq.people.person import Face
from phq.people.record import HeadFace
from phq.pose import template
from phq.system.arrays import Floats
from phq.system.linear import length, product

NEAR_HEAD = 0.25
"""Distance of a face's centre from the head's, fraction of the crop's side, from which it is another person's."""


def head_centre(cam2world: Floats, neck_head: Floats) -> Floats:
    """(2,) middle of the ears of the posed template in the camera's own picture, fraction of its side.

    Args:
        cam2world: 4×4.
        neck_head: (2, 3) axis-angle of neck and head.
    """
    neck, head = rotvec_to_rotmat(neck_head)
    joint = product(neck, template.symmetric_points(("head",))[0])
    ears = template.symmetric_points(("left_ear", "right_ear")).mean(0) - template.symmetric_points(("head",))[0]
    return project(joint + product(neck, head, ears), cam2world)


def head_face(face: Face, size: int, centre: Floats) -> HeadFace:
    """The face, if it is that of the fitted head.

    Args:
        face: in pixels of a picture of side `size` that the head's camera sees.
        size: pixels.
        centre: (2,) `head_centre`.
    """
    middle = (face.box[:2] + face.box[2:]) / 2
    if face.score > FACE_FOUND and length(middle / size - centre) < NEAR_HEAD:
        return HeadFace(True, face.score, face.box, face.points)
    return HeadFace.unmeasured()
