"""Is the head whole, and is it free: the fitted head against the photo's border, and against the person's own hands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from phq.camera.convention import world2cam
from phq.camera.rotations import rotvec_to_rotmat
from phq.pose import template
from phq.schema import LANDMARKS
from phq.system.arrays import Floats

HEAD_RADIUS = 0.105
"""Metres of the template from the middle of its head to crown and chin."""
GRID = 64
"""Cells a side in which the disc of the head is counted."""
HANDS = tuple(
    tuple(LANDMARKS.index(f"{side}_{part}") for part in ("wrist", "pinky", "index", "thumb"))
    for side in ("left", "right")
)
EARS = [LANDMARKS.index("left_ear"), LANDMARKS.index("right_ear")]


def in_picture(points: Floats, fields: Mapping[str, Any]) -> tuple[Floats, Floats]:
    """(N, 2) places of world points (N, 3) in the stored picture, fractions of its side, and the size of a metre there.

    Args:
        fields: ``cam2world`` and ``intrinsics``.
    """
    to_cam = world2cam(np.reshape(fields["cam2world"], (4, 4)))
    K = np.reshape(fields["intrinsics"], (3, 3))
    uvw = (points @ to_cam[:3, :3].T + to_cam[:3, 3]) @ K.T
    return uvw[:, :2] / uvw[:, 2:], K[0, 0] / uvw[:, 2]


def head_disc(fields: Mapping[str, Any]) -> tuple[Floats, float]:
    """(2,) centre and radius of the fitted head in the stored picture, fractions of its side.

    The centre is half way from the chin (as low as the head joint) to the crown of the posed template.

    Args:
        fields: ``cam2world``, ``intrinsics``, ``neck_head_pose``.
    """
    neck, head = rotvec_to_rotmat(np.reshape(fields["neck_head_pose"], (2, 3)))
    joint, crown = template.symmetric_points(("head", "head_top"))
    middle = neck @ joint + neck @ head @ ((crown - joint) / 2)
    places, metre = in_picture(middle[None], fields)
    return places[0], float(HEAD_RADIUS * metre[0])


def head_outside(fields: Mapping[str, Any]) -> float:
    """Fraction of the head's disc that lies beyond the photo, 0 to 1.

    Args:
        fields: of `phq.schema.Sample`: ``cam2world``, ``intrinsics``, ``neck_head_pose``, ``image_size``,
            ``crop_to_source``, ``image_width`` and ``image_height``.
    """
    (x, y), radius = head_disc(fields)
    scale, _, left, _, _, top = np.ravel(fields["crop_to_source"])
    side = scale * fields["image_size"]
    across, down = np.meshgrid(*[(np.arange(GRID) + 0.5) / GRID * 2 - 1] * 2)
    disc = across**2 + down**2 <= 1
    px, py = left + side * (x + radius * across[disc]), top + side * (y + radius * down[disc])
    inside = (px >= 0) & (px <= fields["image_width"]) & (py >= 0) & (py <= fields["image_height"])
    return float(1 - inside.mean())


def hand_on_head(fields: Mapping[str, Any]) -> float:
    """How far a hand of the person's own lies over the head, seen from the camera: 0 none, 1 over its middle.

    A hand is the mean of its four landmarks; it counts with their visibility, if it is inside the photo and nearer to
    the camera than the middle of the ears.

    Args:
        fields: as for `head_outside`, and ``keypoints_2d``, ``keypoints_3d``, ``keypoints_visibility``.
    """
    centre, radius = head_disc(fields)
    scale, _, left, _, _, top = np.ravel(fields["crop_to_source"])
    side = scale * fields["image_size"]
    points, world = np.reshape(fields["keypoints_2d"], (33, 2)), np.reshape(fields["keypoints_3d"], (33, 3))
    seen, limit = np.asarray(fields["keypoints_visibility"]), [fields["image_width"], fields["image_height"]]
    found = [0.0]
    for hand in map(list, HANDS):
        place = points[hand].mean(0)
        before = world[hand, 2].mean() < world[EARS, 2].mean()
        if before and (place >= 0).all() and (place <= limit).all():
            off = float(np.linalg.norm((place - [left, top]) / side - centre)) / radius
            found.append(max(0.0, 1 - off) * float(seen[hand].mean()))
    return max(found)
