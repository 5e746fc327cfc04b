"""Yaw, pitch and roll of a body part against its line of sight, and back to a rotation.

The same angles as `phq.camera.angles.part_angles` for a part straight ahead of a camera that is level with the image.
"""

from __future__ import annotations

import numpy as np

from phq.camera.convention import BODY_TO_CV
from phq.system.arrays import Floats
from phq.system.elementary import arcsin, arctan2, cos, sin
from phq.system.linear import product


def angles_of(part_to_view: Floats) -> Floats:
    """(3,) yaw, pitch, roll (degrees) of a 3×3 rotation from (left, up, front) to the level view of the part.

    Yaw is that of the camera in the part's frame, + on the subject's left; pitch + = face up, roll + = crown towards
    the subject's own left, both Euler angles of Ry(yaw) Rx(−pitch) Rz(roll).
    """
    camera = -part_to_view[2]
    m = product(part_to_view, BODY_TO_CV)
    pitch = arcsin(np.clip(m[1, 2], -1, 1))
    return np.asarray(np.degrees([arctan2(camera[0], camera[2]), pitch, arctan2(m[1, 0], m[1, 1])]))


def rotation_of(angles: Floats) -> Floats:
    """3×3 part-to-view rotation of (yaw, pitch, roll) in degrees: the inverse of `angles_of`, |pitch| < 90°.

    Yaw of the camera about a tilted part is not the Euler angle a: with M = Ry(a) Rx(−p) Rz(r) the camera stands to
    the left and front of the part by (cos r sin a + sin r sin p cos a, cos p cos a), so that
    tan a = (cos p tan yaw − sin r sin p) / cos r, on yaw's side of the part.
    """
    yaw, pitch, roll = np.radians(angles)
    sine = sin(yaw) * cos(pitch) - sin(roll) * sin(pitch) * cos(yaw)
    a = float(arctan2(sine / cos(roll), cos(yaw)))
    return np.asarray(product(_about_y(a), _about_x(-pitch), _about_z(roll), BODY_TO_CV))


def _about_x(t: float) -> Floats:
    return np.array([[1, 0, 0], [0, cos(t), -sin(t)], [0, sin(t), cos(t)]])


def _about_y(t: float) -> Floats:
    return np.array([[cos(t), 0, sin(t)], [0, 1, 0], [-sin(t), 0, cos(t)]])


def _about_z(t: float) -> Floats:
    return np.array([[cos(t), -sin(t), 0], [sin(t), cos(t), 0], [0, 0, 1]])
