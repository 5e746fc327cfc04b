"""How torso and head are labelled, drawn into the stored picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from phq.camera.convention import world2cam
from phq.camera.rotations import rotvec_to_rotmat
from phq.pose.closed_form import head_joint
from phq.pose.render import project
from phq.system.arrays import Floats, Image

COLOURS = ((230, 60, 60), (70, 200, 90), (70, 130, 255))
"""RGB of the axes to the subject's left, up and to the front."""
TORSO_METRES, HEAD_METRES = 0.14, 0.1
_FRACTION_BITS = 4


def draw_axes(crop: Image, row: Mapping[str, Any], side: int) -> Image:
    """side × side × 3: the picture with the axes of the torso at the neck and of the head at its joint."""
    out = np.ascontiguousarray(cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA))
    K = np.diag([side, side, 1.0]) @ np.reshape(row["intrinsics"], (3, 3))
    for origin, axes, length in _frames(row):
        ends = project(np.vstack([origin, origin + length * axes.T]), K)
        if np.isfinite(ends).all() and np.abs(ends).max() < 100 * side:
            _draw(out, ends)
    return out


def _frames(row: Mapping[str, Any]) -> list[tuple[Floats, Floats, float]]:
    """Origin (3,) and axes (columns of 3×3) in camera axes, and how long to draw them; torso, then head."""
    to_cam = world2cam(np.reshape(row["cam2world"], (4, 4)))
    neck, head = np.reshape(row["neck_head_pose"], (2, 3))
    torso, place = to_cam[:3, :3], to_cam[:3, 3]
    turned = torso @ rotvec_to_rotmat(neck) @ rotvec_to_rotmat(head)
    return [(place, torso, TORSO_METRES), (head_joint(torso, neck) + place, turned, HEAD_METRES)]


def _draw(image: Image, ends: Floats) -> None:
    """Three lines from the first of (4, 2) pixel positions."""
    points = [(int(x), int(y)) for x, y in np.round((ends - 0.5) * (1 << _FRACTION_BITS))]
    for end, colour in zip(points[1:], COLOURS, strict=True):
        for width, shade in ((4, (0, 0, 0)), (2, colour)):
            cv2.line(image, points[0], end, shade, width, cv2.LINE_AA, _FRACTION_BITS)
