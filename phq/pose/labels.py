"""The labels of a fitted person: camera and head angles, and the body's pose in that camera's axes."""

from __future__ import annotations

import numpy as np

from phq.camera.angles import camera_angles, part_angles
from phq.camera.convention import CONVENTION, intrinsics, world2cam
from phq.camera.rotations import rotmat_to_rotvec, rotvec_to_rotmat
from phq.people.person import TorsoFit
from phq.people.record import BodyLabel, CameraLabel, Keypoints
from phq.pose.body import Body
from phq.pose.closed_form import head_joint
from phq.pose.limbs import arm_pose, observed_joints
from phq.schema import SMPL_JOINTS
from phq.system.arrays import Bools, Floats
from phq.system.linear import product


def camera_label(
    cam2world: Floats, neck_head: Floats, K: Floats | None = None, convention: str = CONVENTION
) -> CameraLabel:
    """A camera and the angles under which it sees torso and head.

    Args:
        cam2world: 4×4.
        neck_head: (2, 3) axis-angle of neck and head.
        K: 3×3 intrinsics; by default those of the convention.
        convention: id of the camera convention.
    """
    to_cam, (neck, head) = world2cam(cam2world), rotvec_to_rotmat(neck_head)
    head_in_cam = head_joint(to_cam[:3, :3], neck_head[0]) + to_cam[:3, 3]
    return CameraLabel(
        convention,
        cam2world,
        intrinsics() if K is None else K,
        *camera_angles(cam2world),
        *part_angles(product(to_cam[:3, :3], neck, head), head_in_cam),
    )


def neck_head(fit: TorsoFit) -> Floats:
    """(2, 3) axis-angle of neck and head."""
    return np.stack([fit.joints["neck"], fit.joints["head"]])


def body_label(fit: TorsoFit, cam2world: Floats, body: Body, keypoints: Keypoints, visible: Bools) -> BodyLabel:
    """The posed body of a fit, with arms from the landmarks.

    Args:
        visible: (33,) landmarks that are inside the photo and visible.
    """
    arms = arm_pose(keypoints.keypoints_3d, shoulders_to_cam(fit), visible)
    pose, neck_in_cam = smpl_pose(fit, cam2world, arms), world2cam(cam2world)[:3, 3]
    transl = body.transl_for_neck(pose, neck_in_cam, fit.betas)
    return BodyLabel(body.name, pose, fit.betas, transl, observed_joints(visible), neck_head(fit))


def shoulders_to_cam(fit: TorsoFit) -> dict[str, Floats]:
    """3×3 rotation of each arm's parent by side: the torso turned by its collar."""
    collars = {side: fit.joints.get(f"{side}_collar", np.zeros(3)) for side in ("left", "right")}
    return {side: np.asarray(product(fit.torso_to_cam, rotvec_to_rotmat(collar))) for side, collar in collars.items()}


def smpl_pose(fit: TorsoFit, cam2world: Floats, arms: dict[str, Floats]) -> Floats:
    """(24, 3) axis-angle: root into camera axes, the joints of the fit, arms; every other joint at rest.

    The camera is the chest's; the root is the pelvis, from which the spine bends up to the chest.
    """
    pose = np.zeros((24, 3))
    for joint, rotvec in (fit.joints | arms).items():
        pose[SMPL_JOINTS.index(joint)] = rotvec
    chest = np.eye(3)
    for spine in rotvec_to_rotmat(pose[[SMPL_JOINTS.index(f"spine{i}") for i in (1, 2, 3)]]):
        chest = product(chest, spine)
    pose[0] = rotmat_to_rotvec(product(world2cam(cam2world)[:3, :3], chest.T))
    return pose
