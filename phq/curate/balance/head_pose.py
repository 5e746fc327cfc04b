"""Head pose relative to the torso."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from phq.camera.rotations import rotvec_to_rotmat
from phq.system.arrays import Doubles


def head_to_torso(neck_head_pose: ArrayLike) -> tuple[Doubles, Doubles]:
    """(N,) turn and nod of the face's direction in the torso's axes, degrees.

    Turn is its azimuth, + to the subject's own left, so that for a level head ``camera_yaw_deg − turn`` is
    ``head_yaw_deg``; nod is its elevation, + upwards.

    Args:
        neck_head_pose: (N, 6) axis-angle of neck and head, as `phq.schema.Sample` has it.
    """
    pose = rotvec_to_rotmat(np.array(neck_head_pose, np.float64).reshape(-1, 2, 3))  # SciPy needs a writable array
    x, y, z = (pose[:, 0] @ pose[:, 1])[:, :, 2].T
    return np.degrees(np.arctan2(x, z)), np.degrees(np.arcsin(np.clip(y, -1, 1)))
