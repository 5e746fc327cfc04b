"""Headings in the world that labels of calibrated cameras state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from qualisys import Camera

from phq.camera.angles import wrap_deg
from phq.camera.convention import level_view, project, unit
from phq.camera.rotations import rotvec_to_rotmat
from phq.photos.region import apply_affine
from phq.pose.body import load_body
from phq.schema import LANDMARKS, SMPL_JOINTS
from phq.system.arrays import Floats


def torso_to_level(cam2world: Floats) -> Floats:
    """3×3 body axes to a camera that looks straight at the neck, level with the photo.

    The inverse of `phq.camera.convention.camera_from_torso`, whose camera looks a little above the neck.
    """
    z = unit(-cam2world[:3, 3])
    y = unit(np.cross(z, cam2world[:3, 0]))
    return np.stack([np.cross(y, z), y, z])


def part_to_camera(pose: Floats, joint: str) -> Floats:
    """3×3 axes of a joint's part at rest to crop-camera axes: its rotation and those of all joints above it.

    Args:
        pose: (24, 3) axis-angle, root into crop-camera axes.
    """
    number, rotation = SMPL_JOINTS.index(joint), np.eye(3)
    while number >= 0:
        rotation = rotvec_to_rotmat(pose[number]) @ rotation
        number = load_body().parents[number]
    return np.asarray(rotation)


def neck_pixel(row: Mapping[str, Any], cam2world: Floats) -> Floats:
    """(2,) position of the label's neck in the photo, pixels."""
    in_crop = project(np.zeros(3), cam2world, row["image_size"])
    return apply_affine(np.array(row["crop_to_source"], float).reshape(2, 3), in_crop)


def orientations(row: Mapping[str, Any], camera: Camera) -> dict[str, Floats]:
    """3×3 rotations of torso and head, from body axes (left, up, front) to the world."""
    cam2world = np.array(row["cam2world"], float).reshape(4, 4)
    to_level = torso_to_level(cam2world)
    to_world = level_to_world(row, camera)
    head = part_to_camera(np.array(row["smpl_pose"], float).reshape(24, 3), "head")
    return {"torso": to_world @ to_level, "head": to_world @ to_level @ cam2world[:3, :3] @ head}


def level_to_world(row: Mapping[str, Any], camera: Camera) -> Floats:
    """3×3 axes of the camera that looks straight at the label's neck, level with the photo, to the world."""
    cam2world = np.array(row["cam2world"], float).reshape(4, 4)
    sight = camera.sight(neck_pixel(row, cam2world)[None])[0]
    return np.asarray(camera.world_to_cam.T @ level_view(sight).T)


def heading(to_world: Floats) -> float:
    """Yaw about the vertical, degrees: the twist about it of a rotation (left, up, front) to the world.

    It is the mean of what the left and the front axis say, each by its horizontal share, and so stays defined for a
    person who bends forward until the front points down. 0: left along +x, front along −y; + turns x towards y.
    """
    left, back = to_world[:, 0], -to_world[:, 2]
    return float(np.degrees(np.arctan2(left[1] - back[0], left[0] + back[1])))


def raw_headings(row: Mapping[str, Any], camera: Camera) -> dict[str, float]:
    """Headings of torso and head from BlazePose's metric landmarks alone.

    Torso: shoulders and hips, (left − right); head: nose against the middle of the ears. In a level camera that is
    the yaw atan2(z, x) of the torso and atan2(x, −z) of the head; these cameras are not level, so the vectors are
    turned into the world first, as labels are.
    """
    world = dict(zip(LANDMARKS, np.array(row["keypoints_3d"], float).reshape(33, 3), strict=True))
    to_world = level_to_world(row, camera)
    sides = [world[f"left_{part}"] - world[f"right_{part}"] for part in ("shoulder", "hip")]
    left = to_world @ (sides[0] + sides[1])
    front = to_world @ (world["nose"] - (world["left_ear"] + world["right_ear"]) / 2)
    return {
        "torso": float(np.degrees(np.arctan2(left[1], left[0]))),
        "head": float(np.degrees(np.arctan2(front[0], -front[1]))),
    }


def median_heading(angles: list[float]) -> float:
    """Median of angles on the circle, degrees: unrolled about the one with the least sum of distances to the others."""
    centre = min(angles, key=lambda a: sum(abs(wrap_deg(b - a)) for b in angles))
    return wrap_deg(centre + float(np.median([wrap_deg(a - centre) for a in angles])))
