"""Constants and building blocks of the camera convention.

The numbers are those of 360°PHQ (3DPortraitGAN), so that labels are interchangeable: after its second crop the
focal length is 5000 px on 768 px.
"""

from __future__ import annotations

import numpy as np

from phq.system.arrays import Floats
from phq.system.elementary import cos, sin
from phq.system.linear import length, product

CONVENTION = "phq-neck/1"
RADIUS = 2.7
LOOK_AT = np.array([0.0, 0.0649, 0.0])
"""The height of the head joint over the neck joint."""
FOCAL = 5000 / 768
"""Focal length over image side; field of view 8.783°."""
VISIBLE_HEIGHT = RADIUS / FOCAL
"""Metres that the image side spans at the neck, 0.41472."""
BODY_TO_CV = np.diag([1.0, -1.0, -1.0])
"""Body axes (left, up, front) of a subject facing the camera, in OpenCV camera axes; its own inverse."""
MIRROR = np.diag([-1.0, 1.0, 1.0])
WINDOW_CONVENTION = "phq-neck-window/1"
"""Camera convention of pictures that are a part of a phq camera's image plane: the same world and camera, but focal
length and principal point are those in ``intrinsics``."""


def intrinsics() -> Floats:
    """3×3 intrinsics normalised by the image side."""
    return np.array([[FOCAL, 0, 0.5], [0, FOCAL, 0.5], [0, 0, 1]])


def unit(v: Floats) -> Floats:
    """Vectors (…, 3) scaled to length one."""
    return np.asarray(v / np.linalg.norm(v, axis=-1, keepdims=True))


def look_at(position: Floats, up: Floats, target: Floats = LOOK_AT) -> Floats:
    """cam2world (4×4, OpenCV axes) of a camera at `position` that looks at `target` with `up` upwards in the image.

    Raises:
        ValueError: the view direction is parallel to `up`, or the camera sits on the target.
    """
    forward, right = target - position, np.cross(target - position, up)
    if length(right) < 1e-9:
        raise ValueError("the camera cannot look along its own up direction")
    z, x = unit(forward), unit(right)
    cam2world = np.eye(4)
    cam2world[:3] = np.column_stack([x, np.cross(z, x), z, position])
    return cam2world


def level_view(direction: Floats) -> Floats:
    """3×3 rotation of camera axes into those of a camera at the same place that looks along `direction` (3,), level."""
    z = unit(direction)
    x = unit(np.cross(z, [0.0, -1.0, 0.0]))
    return np.stack([x, np.cross(z, x), z])


def camera_from_torso(torso_to_cam: Floats, neck_direction: Floats | None = None) -> Floats:
    """Normalised cam2world (4×4) from the torso's rotation (360°PHQ's construction, with roll kept).

    Args:
        torso_to_cam: 3×3 rotation from body axes (left, up, front) to OpenCV camera axes.
        neck_direction: (3,) any vector from the camera towards the neck, camera axes; straight ahead if None.

    The camera's position is where the subject sees it from, at radius 2.7 about the neck; its up is the
    photograph's up.
    """
    neck = np.array([0.0, 0.0, 1.0]) if neck_direction is None else neck_direction
    position = RADIUS * unit(product(-torso_to_cam.T, neck))
    return look_at(position, product(torso_to_cam.T, np.array([0.0, -1.0, 0.0])))


def orbit(yaw_deg: float, pitch_deg: float = 0.0) -> Floats:
    """cam2world of a level camera; yaw + = on the subject's left, pitch + = above."""
    yaw, pitch = np.radians([yaw_deg, pitch_deg])
    direction = np.array([sin(yaw) * cos(pitch), sin(pitch), cos(yaw) * cos(pitch)])
    return look_at(RADIUS * direction, np.array([0.0, 1.0, 0.0]))


def world2cam(cam2world: Floats) -> Floats:
    """Inverse of a rigid 4×4."""
    inverse = np.eye(4)
    inverse[:3, :3] = cam2world[:3, :3].T
    inverse[:3, 3] = product(-cam2world[:3, :3].T, cam2world[:3, 3])
    return inverse


def project(points: Floats, cam2world: Floats, size: float = 1.0) -> Floats:
    """World points (…, 3) to (…, 2) pixels of an image of side `size` (1: normalised)."""
    matrix = world2cam(cam2world)
    cam = product(points, matrix[:3, :3].T) + matrix[:3, 3]
    return np.asarray((FOCAL * cam[..., :2] / cam[..., 2:] + 0.5) * size)


def mirror_camera(cam2world: Floats) -> Floats:
    """cam2world of the horizontally mirrored image: M C M, which negates entries 1, 2, 3, 4 and 8."""
    mirror = np.diag([*np.diag(MIRROR), 1.0])
    return np.asarray(product(mirror, cam2world, mirror))
