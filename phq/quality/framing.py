"""Is the head whole and uncovered: the fitted head against the photo's border and the person's own hands."""

from __future__ import annotations

import numpy as np

from phq.camera.convention import world2cam
from phq.camera.rotations import rotvec_to_rotmat
from phq.people.person import Person, known
from phq.people.record import CameraLabel, CropFrame
from phq.pose import template
from phq.schema import LANDMARKS
from phq.system.arrays import Floats
from phq.system.linear import length, product

HEAD_RADIUS = 0.105
"""Metres of the template from the middle of its head to crown and chin."""
GRID = 64
"""Cells a side in which the disc of the head is counted."""
HANDS = tuple(
    tuple(LANDMARKS.index(f"{side}_{part}") for part in ("wrist", "pinky", "index", "thumb"))
    for side in ("left", "right")
)
EARS = [LANDMARKS.index("left_ear"), LANDMARKS.index("right_ear")]


def in_picture(points: Floats, camera: CameraLabel) -> tuple[Floats, Floats]:
    """(N, 2) world points (N, 3) in the stored picture, fractions of its side, and (N,) the length of a metre there."""
    to_cam, K = world2cam(camera.cam2world), camera.intrinsics
    uvw = product(product(points, to_cam[:3, :3].T) + to_cam[:3, 3], K.T)
    return uvw[:, :2] / uvw[:, 2:], K[0, 0] / uvw[:, 2]


def head_disc(camera: CameraLabel, neck_head: Floats) -> tuple[Floats, float]:
    """(2,) centre and radius of the fitted head in the stored picture, fractions of its side.

    The centre is half way from the chin (as low as the head joint) to the crown of the posed template.

    Args:
        camera: the person's.
        neck_head: (2, 3) axis-angle of neck and head.
    """
    neck, head = rotvec_to_rotmat(neck_head)
    joint, crown = template.symmetric_points(("head", "head_top"))
    middle = product(neck, joint) + product(neck, head, (crown - joint) / 2)
    places, metre = in_picture(middle[None], camera)
    return places[0], float(HEAD_RADIUS * metre[0])


def person_head_disc(person: Person) -> tuple[Floats, float]:
    """`head_disc` of one person."""
    return head_disc(known(person.camera), known(person.body).neck_head_pose)


def _window(frame: CropFrame) -> tuple[Floats, float]:
    """(2,) upper left corner and side of the crop, photo pixels."""
    scale, _, left, _, _, top = frame.crop_to_source.ravel()
    return np.array([left, top]), float(scale * frame.image_size)


def head_outside(person: Person) -> float:
    """Fraction of the head's disc that lies beyond the photo, 0 to 1."""
    (x, y), radius = person_head_disc(person)
    (left, top), side = _window(known(person.frame))
    width, height = person.photo.source.size
    across, down = np.meshgrid(*[(np.arange(GRID) + 0.5) / GRID * 2 - 1] * 2)
    disc = across**2 + down**2 <= 1
    px, py = left + side * (x + radius * across[disc]), top + side * (y + radius * down[disc])
    inside = (px >= 0) & (px <= width) & (py >= 0) & (py <= height)
    return float(1 - inside.mean())


def hand_on_head(person: Person) -> float:
    """How far one of the person's own hands covers the head, seen from the camera: 0 not, 1 over its middle.

    A hand is the mean of its four landmarks. It counts with their visibility, if it is inside the photo and nearer to
    the camera than the middle of the ears.
    """
    centre, radius = person_head_disc(person)
    corner, side = _window(known(person.frame))
    keypoints = known(person.keypoints)
    points, world = keypoints.keypoints_2d, keypoints.keypoints_3d
    found = [0.0]
    for hand in map(list, HANDS):
        place = points[hand].mean(0)
        before = world[hand, 2].mean() < world[EARS, 2].mean()
        if before and (place >= 0).all() and (place <= person.photo.source.size).all():
            off = float(length((place - corner) / side - centre)) / radius
            found.append(max(0.0, 1 - off) * float(keypoints.keypoints_visibility[hand].mean()))
    return max(found)
