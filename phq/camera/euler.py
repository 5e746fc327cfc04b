"""Head rotations in the angle conventions of WHENet, 6DRepNet (300W-LP) and 3DDFA_V2, to and from phq's.

phq states a rotation as ``head_to_cam``, 3×3 from head axes (left, up, front) to OpenCV camera axes (right, down,
front); `head_to_cam` makes it from a sample. The other programs turn the camera by F = diag(1, −1, −1): right, up,
towards the viewer. Below, Q = F · head_to_cam, and Rx, Ry, Rz are the right-handed elementary rotations.

| convention | Q | yaw + | pitch + | roll + | yaw within |
|---|---|---|---|---|---|
| 300W-LP, 6DRepNet | Rx(−pitch) Ry(−yaw) Rz(−roll) | face to image left | face up | crown to image right | [−90, 90] |
| WHENet | the same | the same | the same | the same | (−180, 180] |
| 3DDFA_V2 | Rz(roll) Ry(−yaw) Rx(pitch) | face to image left | face **down** | crown to image **left** | [−90, 90] |

All functions take and give (yaw, pitch, roll) in degrees, in this order, although 300W-LP stores (pitch, yaw, roll).
Angles are about the camera's axes; phq's own ``head_yaw_deg``… are about the line of sight to the head, up to 5° apart
from them for a head in the corner of a crop. At a yaw of ±90° pitch and roll turn about the same axis: roll is then
given as 0, and the rotation is still exact.

Sources: 300W-LP's Matlab code as restated in YadiraF/face3d (``angle2matrix_3ddfa``: Rx Ry Rz of left-handed matrices);
thohemp/6DRepNet ``utils.py`` (``get_R``, which is Qᵀ, and its inverse; Hopenet's ``draw_axis`` shows the signs);
Ascend-Research/HeadPoseEstimation-WHENet ``prepare_images.py`` (its matrix is head_to_cam · F, whose yaw and roll it
negates, and of the two solutions it takes the one with pitch and roll below 90°); cleardusk/3DDFA_V2 ``utils/pose.py``
(``matrix2angle``; within 3.6° of a profile it rounds the yaw to ±90°, which is not imitated here).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from phq.camera.angles import wrap_deg
from phq.camera.convention import BODY_TO_CV, world2cam
from phq.camera.rotations import rotvec_to_rotmat
from phq.system.arrays import Floats

Angles = tuple[float, float, float]
"""Yaw, pitch, roll in degrees."""
LOCKED = 1e-7
"""Cosine of the yaw below which pitch and roll cannot be told apart."""


def head_to_cam(cam2world: Floats, neck_head_pose: Sequence[float] | Floats) -> Floats:
    """3×3 head axes to OpenCV camera axes, from the fields of a sample.

    Args:
        cam2world: 16 numbers or 4×4. neck_head_pose: 6 numbers, axis-angle of neck and head.
    """
    neck, head = rotvec_to_rotmat(np.asarray(neck_head_pose, dtype=np.float64).reshape(2, 3))
    return np.asarray(world2cam(np.asarray(cam2world, dtype=np.float64).reshape(4, 4))[:3, :3] @ neck @ head)


def to_sixdrepnet(head_to_cam: Floats) -> Angles:
    """Yaw in [−90, 90], pitch, roll as 6DRepNet, Hopenet and the files of 300W-LP have them.

    A head seen from behind has pitch and roll beyond ±90° here; `to_whenet` says the same with a yaw beyond ±90°.
    """
    q = BODY_TO_CV @ head_to_cam
    yaw = -np.arcsin(np.clip(q[0, 2], -1, 1))
    if np.hypot(q[0, 0], q[0, 1]) < LOCKED:
        return _degrees(yaw, -np.arctan2(q[2, 1], q[1, 1]), 0.0)
    return _degrees(yaw, np.arctan2(q[1, 2], q[2, 2]), np.arctan2(q[0, 1], q[0, 0]))


def from_sixdrepnet(yaw: float, pitch: float, roll: float) -> Floats:
    """3×3 head axes to OpenCV camera axes."""
    return np.asarray(BODY_TO_CV @ Rotation.from_euler("XYZ", [-pitch, -yaw, -roll], degrees=True).as_matrix())


def to_whenet(head_to_cam: Floats) -> Angles:
    """Yaw in (−180, 180], pitch and roll below ±90° as WHENet has them.

    Raises:
        ValueError: the head is upside down; WHENet has no angles for it and leaves such images out.
    """
    yaw, pitch, roll = to_sixdrepnet(head_to_cam)
    turned = wrap_deg(180 - yaw), wrap_deg(180 + pitch), wrap_deg(180 + roll)
    for angles in ((yaw, pitch, roll), turned):
        if abs(angles[1]) <= 90 and abs(angles[2]) <= 90:
            return angles
    raise ValueError(f"WHENet's angles end at ±90° of pitch and roll; this head has {pitch:.0f}° and {roll:.0f}°")


def from_whenet(yaw: float, pitch: float, roll: float) -> Floats:
    """3×3 head axes to OpenCV camera axes; the formula is 300W-LP's, with a yaw over the full circle."""
    return from_sixdrepnet(yaw, pitch, roll)


def to_tddfa(head_to_cam: Floats) -> Angles:
    """Yaw in [−90, 90], pitch, roll as 3DDFA_V2 prints them (+ pitch is down, + roll is the crown to image left)."""
    q = BODY_TO_CV @ head_to_cam
    yaw = np.arcsin(np.clip(q[2, 0], -1, 1))
    if np.hypot(q[0, 0], q[1, 0]) < LOCKED:
        return _degrees(yaw, np.arctan2(-q[1, 2], q[1, 1]), 0.0)
    return _degrees(yaw, np.arctan2(q[2, 1], q[2, 2]), np.arctan2(q[1, 0], q[0, 0]))


def from_tddfa(yaw: float, pitch: float, roll: float) -> Floats:
    """3×3 head axes to OpenCV camera axes."""
    return np.asarray(BODY_TO_CV @ Rotation.from_euler("ZYX", [roll, -yaw, pitch], degrees=True).as_matrix())


def _degrees(yaw: float, pitch: float, roll: float) -> Angles:
    return float(np.degrees(yaw)), wrap_deg(float(np.degrees(pitch))), wrap_deg(float(np.degrees(roll)))
