"""Stage: the camera of every person, and the body's pose in that camera's axes."""

from __future__ import annotations

import numpy as np

from phq.camera.angles import camera_angles, part_angles
from phq.camera.convention import CONVENTION, camera_from_torso, intrinsics, world2cam
from phq.camera.rotations import rotmat_to_rotvec, rotvec_to_rotmat
from phq.people import Person, Photo, TorsoFit, living, visible_landmarks
from phq.pose.body import load_body
from phq.pose.closed_form import head_joint
from phq.pose.limbs import arm_pose, observed_joints
from phq.schema import SMPL_JOINTS
from phq.system.arrays import Floats


class PlaceCamera:
    """cam2world about the neck, its angles, and the SMPL pose whose root leads into that camera's axes."""

    name = "camera"

    def setup(self) -> None:
        """Load the embedded body model."""
        self.body = load_body()

    def process(self, photos: list[Photo]) -> None:
        """Every person that has a fit."""
        for person in living(photos):
            if person.fit is not None:
                cam2world = camera_from_torso(person.fit.torso_to_cam)
                person.fields |= camera_fields(person.fit, cam2world) | self._body_fields(person, cam2world)

    def _body_fields(self, person: Person, cam2world: Floats) -> dict[str, object]:
        assert person.fit is not None
        seen = visible_landmarks(person)
        world = person.fields["keypoints_3d"].reshape(33, 3)
        pose = smpl_pose(person.fit, cam2world, arm_pose(world, shoulders_to_cam(person.fit), seen))
        neck_in_cam = world2cam(cam2world)[:3, 3]
        return {
            "body_model": self.body.name,
            "smpl_pose": pose,
            "smpl_betas": person.fit.betas,
            "smpl_transl": self.body.transl_for_neck(pose, neck_in_cam, person.fit.betas),
            "pose_observed": observed_joints(seen),
            "neck_head_pose": np.concatenate([pose[12], pose[15]]),
        }


def camera_fields(fit: TorsoFit, cam2world: Floats) -> dict[str, object]:
    """Camera and head angles of a fit seen by its normalised camera."""
    to_cam = world2cam(cam2world)
    neck, head = fit.joints["neck"], fit.joints["head"]
    head_in_cam = head_joint(to_cam[:3, :3], neck) + to_cam[:3, 3]
    head_to_cam = to_cam[:3, :3] @ rotvec_to_rotmat(neck) @ rotvec_to_rotmat(head)
    yaw, pitch, roll = camera_angles(cam2world)
    head_yaw, head_pitch, head_roll = part_angles(head_to_cam, head_in_cam)
    return {
        "camera_convention": CONVENTION,
        "cam2world": cam2world,
        "intrinsics": intrinsics(),
        "camera_yaw_deg": yaw,
        "camera_pitch_deg": pitch,
        "camera_roll_deg": roll,
        "head_yaw_deg": head_yaw,
        "head_pitch_deg": head_pitch,
        "head_roll_deg": head_roll,
    }


def shoulders_to_cam(fit: TorsoFit) -> dict[str, Floats]:
    """3×3 rotation of what each arm hangs on, by side: the torso turned by its collar."""
    collars = {side: fit.joints.get(f"{side}_collar", np.zeros(3)) for side in ("left", "right")}
    return {side: np.asarray(fit.torso_to_cam @ rotvec_to_rotmat(collar)) for side, collar in collars.items()}


def smpl_pose(fit: TorsoFit, cam2world: Floats, arms: dict[str, Floats]) -> Floats:
    """(24, 3) axis-angle: root into camera axes, the joints of the fit, arms; every other joint at rest.

    The camera is the chest's; the root is the pelvis, from which the spine bends up to the chest.
    """
    pose = np.zeros((24, 3))
    for joint, rotvec in (fit.joints | arms).items():
        pose[SMPL_JOINTS.index(joint)] = rotvec
    chest = np.eye(3)
    for spine in rotvec_to_rotmat(pose[[SMPL_JOINTS.index(f"spine{i}") for i in (1, 2, 3)]]):
        chest = chest @ spine
    pose[0] = rotmat_to_rotvec(world2cam(cam2world)[:3, :3] @ chest.T)
    return pose
