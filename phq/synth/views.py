"""Where the camera stands and how the person holds the head; both exact, and what coarse labels make of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.spatial.transform import Rotation

from phq.camera.convention import RADIUS, look_at, unit, world2cam
from phq.camera.rotations import rotmat_to_rotvec, rotvec_to_rotmat
from phq.pose.limbs import HANGING, swing
from phq.schema import SMPL_JOINTS
from phq.system.arrays import Doubles
from phq.system.linear import product

NOD, TILT = 10.0, 7.0
"""Standard deviations of how the head is bent forward or back, and to a side, degrees."""
STEEPEST = 45.0
"""Of a camera's pitch, degrees: from steeper ones the figure's lower end would be seen."""
FURTHEST = (75.0, 35.0, 25.0)
"""Greatest turn, nod and tilt of the head, degrees."""
SPINE = ("spine1", "spine2", "spine3")
_NECK, _HEAD = SMPL_JOINTS.index("neck"), SMPL_JOINTS.index("head")


class Spread(BaseModel):
    """Standard deviations, degrees; yaw of the camera is even over the circle."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pitch: float = Field(default=10.0, ge=0, le=30, description="of the camera's pitch")
    roll: float = Field(default=4.0, ge=0, le=30, description="of the camera's roll")
    turn: float = Field(default=25.0, ge=0, le=45, description="of the head's yaw on the torso")
    pose_noise: float = Field(default=0.0, ge=0, le=60, description="of each axis of the coarse neck and head")


@dataclass(frozen=True)
class View:
    """A person as a camera sees them."""

    cam2world: Doubles
    """4×4, see `phq.camera.convention`."""
    pose: Doubles
    """(24, 3) axis-angle; the root leads into the camera's axes."""


def draw_view(rng: np.random.Generator, spread: Spread) -> View:
    """A camera and a pose at random; the camera is drawn first and does not depend on the spread of poses."""
    yaw = rng.uniform(-180, 180)
    pitch, roll = rng.normal(0, 1, 2) * [spread.pitch, spread.roll]
    cam2world = rolled_orbit(yaw, float(np.clip(pitch, -STEEPEST, STEEPEST)), float(np.clip(roll, -90, 90)))
    return View(cam2world, rooted(_draw_pose(rng, spread.turn), cam2world))


def rolled_orbit(yaw_deg: float, pitch_deg: float, roll_deg: float) -> Doubles:
    """cam2world of the camera with these angles, as `phq.camera.angles.camera_angles` gives them."""
    yaw, pitch, roll = np.radians([yaw_deg, pitch_deg, roll_deg])
    position = RADIUS * np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    level = look_at(position, np.array([0.0, 1.0, 0.0]))
    up = -np.cos(roll) * level[:3, 1] - np.sin(roll) * level[:3, 0]
    return np.asarray(look_at(position, unit(up)), np.float64)


def rooted(pose: Doubles, cam2world: Doubles) -> Doubles:
    """The pose (24, 3) with the root that puts the chest in the world's axes, as a camera at `cam2world` sees it."""
    chest = np.eye(3)
    for spine in rotvec_to_rotmat(pose[[SMPL_JOINTS.index(name) for name in SPINE]]):
        chest = product(chest, spine)
    out = pose.copy()
    out[0] = rotmat_to_rotvec(product(world2cam(cam2world)[:3, :3], chest.T))
    return out


def neck_head(pose: Doubles) -> Doubles:
    """(6,) axis-angle of neck and head."""
    return np.concatenate([pose[_NECK], pose[_HEAD]])


def coarse_pose(rng: np.random.Generator, pose: Doubles, degrees: float) -> Doubles:
    """The pose (24, 3) with neck and head turned by Gaussian noise.

    Each is turned, in its own axes, by a rotation vector whose three numbers have standard deviation `degrees`; the
    mean angle of such a turn is 1.6 times that.
    """
    out = pose.copy()
    for joint, turn in zip((_NECK, _HEAD), rng.normal(0, np.radians(degrees), (2, 3)), strict=True):
        out[joint] = rotmat_to_rotvec(product(rotvec_to_rotmat(pose[joint]), rotvec_to_rotmat(turn)))
    return out


def _draw_pose(rng: np.random.Generator, turn: float) -> Doubles:
    """(24, 3) with the root at rest."""
    pose = np.zeros((24, 3))
    bend = np.clip(rng.normal(0, [turn, NOD, TILT]), np.negative(FURTHEST), FURTHEST)
    share = rng.uniform(0.3, 0.6, 3)
    for joint, part in ((_NECK, share), (_HEAD, 1 - share)):
        pose[joint] = Rotation.from_euler("YXZ", bend * part, degrees=True).as_rotvec()
    for name in SPINE:
        pose[SMPL_JOINTS.index(name)] = rng.normal(0, np.radians(4), 3)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        pose[SMPL_JOINTS.index(f"{side}_collar")] = rng.normal(0, np.radians(4), 3)
        hanging = (HANGING + rng.normal(0, [0.12, 0, 0.15])) * [sign, 1, 1]
        arm = swing(np.array([sign, 0.0, 0.0]), hanging)
        pose[SMPL_JOINTS.index(f"{side}_shoulder")] = rotmat_to_rotvec(arm)
    return pose
