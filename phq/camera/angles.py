"""Angles of cameras and heads, in degrees; signs in docs/conventions.md."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from phq.camera.convention import BODY_TO_CV, level_view
from phq.system.arrays import Doubles, Floats
from phq.system.elementary import arcsin, arctan2
from phq.system.linear import product


def wrap_deg(angle: float) -> float:
    """Angle in (−180, 180]."""
    wrapped = -((-angle + 180.0) % 360.0 - 180.0)
    return float(wrapped) + 0.0


def apart_deg(first: ArrayLike, second: ArrayLike) -> Doubles:
    """Angles between directions, degrees, 0 to 180; NaN where a direction is.

    Args:
        first: (N,) degrees, or one for all.
        second: (N,) degrees, or one for all.
    """
    difference = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    return np.asarray(np.abs((difference + 180) % 360 - 180))


def yaw_pitch(position: Floats) -> tuple[float, float]:
    """Yaw atan2(x, z) and elevation of a camera at `position` (3,) in body axes (left, up, front)."""
    x, y, z = position
    return wrap_deg(float(np.degrees(arctan2(x, z)))), float(np.degrees(arctan2(y, np.sqrt(x * x + z * z))))


def roll(cam2world: Floats) -> float:
    """How far the torso's up axis leans to image right; 0 for a level camera."""
    up = product(cam2world[:3, :3].T, np.array([0.0, 1.0, 0.0]))
    return wrap_deg(float(np.degrees(arctan2(up[0], -up[1]))))


def camera_angles(cam2world: Floats) -> tuple[float, float, float]:
    """(yaw, pitch, roll) of a camera about the torso."""
    return *yaw_pitch(cam2world[:3, 3]), roll(cam2world)


def part_angles(part_to_cam: Floats, part_in_cam: Floats) -> tuple[float, float, float]:
    """(yaw, pitch, roll) of a body part from the camera.

    Args:
        part_to_cam: 3×3 rotation from the part's axes (left, up, front) to OpenCV camera axes.
        part_in_cam: (3,) position of the part, camera axes.

    Yaw is that of the camera's position in the part's frame, as for the torso. Pitch (+ = face up) and roll
    (+ = crown towards the subject's own left) are Euler angles R = Ry(yaw) Rx(−pitch) Rz(roll) in a camera that
    looks straight at the part and is level with the image.
    """
    yaw, _ = yaw_pitch(product(-part_to_cam.T, part_in_cam))
    m = product(level_view(part_in_cam), part_to_cam, BODY_TO_CV)
    pitch = np.degrees(arcsin(np.clip(m[1, 2], -1, 1)))
    return yaw, float(pitch), wrap_deg(float(np.degrees(arctan2(m[1, 0], m[1, 1]))))
