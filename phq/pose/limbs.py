"""Arms in closed form: each bone swings from its rest direction to the direction of the landmarks."""

from __future__ import annotations

import numpy as np

from phq.camera.rotations import rotmat_to_rotvec
from phq.schema import SMPL_JOINTS
from phq.system.arrays import Floats
from phq.system.linear import length, product

ARMS = {"left": (11, 13, 15, 1.0), "right": (12, 14, 16, -1.0)}
"""Landmarks of shoulder, elbow and wrist, and the sign of x in which the rest pose stretches the arm."""
HANGING = np.array([0.25, -1.0, 0.05])
"""Prior of an arm that is not visible: hanging, a little away from the body (x is outwards)."""


def swing(start: Floats, end: Floats) -> Floats:
    """3×3 smallest rotation that turns direction `start` (3,) into `end` (3,)."""
    a, b = start / length(start), end / length(end)
    axis, cosine = np.cross(a, b), float(product(a, b))
    if cosine < -1 + 1e-9:  # half a turn: any axis across will do
        axis = np.cross(a, [0.0, 1.0, 0.0] if abs(a[1]) < 0.9 else [1.0, 0.0, 0.0])
        axis = axis / length(axis)
        return np.asarray(2 * np.outer(axis, axis) - np.eye(3))
    skew = np.cross(np.eye(3), axis)
    return np.asarray(np.eye(3) + skew + product(skew, skew) / (1 + cosine))


def arm_pose(world: Floats, shoulders_to_cam: dict[str, Floats], visible: np.ndarray) -> dict[str, Floats]:
    """Axis-angle of SMPL shoulders and elbows by joint name.

    Args:
        world: (33, 3) metric landmarks, camera axes.
        visible: (33,) bool, landmark is in the picture and visible.
        shoulders_to_cam: 3×3 rotation of the arm's parent (the collar), by side.

    A bone whose ends were not seen takes the prior (upper arm) or stays straight (forearm).
    """
    pose: dict[str, Floats] = {}
    for side, (shoulder, elbow, wrist, sign) in ARMS.items():
        rest = np.array([sign, 0.0, 0.0])
        hanging = HANGING * [sign, 1, 1]
        to_collar = shoulders_to_cam[side].T
        upper = swing(rest, product(to_collar, world[elbow] - world[shoulder]) if visible[elbow] else hanging)
        fore_dir = (
            product(upper.T, to_collar, world[wrist] - world[elbow]) if visible[elbow] and visible[wrist] else rest
        )
        pose[f"{side}_shoulder"] = np.asarray(rotmat_to_rotvec(upper))
        pose[f"{side}_elbow"] = np.asarray(rotmat_to_rotvec(swing(rest, fore_dir)))
    return pose


def observed_joints(visible: np.ndarray) -> list[bool]:
    """24 flags: root, neck and head are always fitted; spine and arms where hips, elbows and wrists are visible.

    What is not flagged stays at its prior.
    """
    fitted = {"pelvis", "neck", "head"}
    fitted |= {"spine1", "spine2", "spine3"} if visible[23] and visible[24] else set()
    for side, (shoulder, elbow, wrist, _) in ARMS.items():
        fitted |= {f"{side}_collar"} if visible[shoulder] else set()
        fitted |= {f"{side}_shoulder"} if visible[elbow] else set()
        fitted |= {f"{side}_elbow"} if visible[elbow] and visible[wrist] else set()
    return [joint in fitted for joint in SMPL_JOINTS]
