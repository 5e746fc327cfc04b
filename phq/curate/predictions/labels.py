"""The columns that predictions change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from phq.camera.angles import part_angles
from phq.camera.convention import camera_from_torso, world2cam
from phq.camera.rotations import between, rotmat_to_rotvec, rotvec_to_rotmat
from phq.curate.annotate.groups import UNCERTAINTY
from phq.curate.annotate.stored_stages import StateUncertainty
from phq.curate.annotate.window import state_camera
from phq.curate.predictions.fusion import Fused, Source
from phq.curate.predictions.rotations import Body
from phq.curate.predictions.stored_pose import StoredPose
from phq.dataset.embedded import BODY_COLUMNS
from phq.people.person import Person, known
from phq.people.record import BodyLabel, HeadPoseScores, Orientation
from phq.pose.body import Body as BodyModel
from phq.pose.closed_form import head_joint
from phq.pose.labels import camera_label
from phq.pose.orient.angles import angles_of
from phq.schema import SMPL_JOINTS
from phq.system.arrays import Doubles, Floats
from phq.system.linear import product

CAMERA = (
    "camera_convention", "cam2world", "intrinsics", "camera_yaw_deg", "camera_pitch_deg", "camera_roll_deg", "head_px",
)  # fmt: skip
HEAD = ("head_yaw_deg", "head_pitch_deg", "head_roll_deg")
ORIENTATION = ("orientation_sigma_deg", "orientation_p_flip", "orientation_yaw_deg")
HEAD_POSE = tuple(HeadPoseScores().columns())
KEYPOINTS = ("has_coco_keypoints", "coco_keypoints")
COLUMNS = {
    "headpose": (*BODY_COLUMNS, *HEAD, *HEAD_POSE, *UNCERTAINTY),
    "smpl": (*BODY_COLUMNS, *CAMERA, *HEAD, *ORIENTATION, *UNCERTAINTY),
    "smplx": (*BODY_COLUMNS, *CAMERA, *HEAD, *ORIENTATION, *UNCERTAINTY),
    "keypoints": (*KEYPOINTS, *UNCERTAINTY),
}
"""Of `phq.schema.Row`, by what is predicted."""
NECK, HEAD_JOINT = SMPL_JOINTS.index("neck"), SMPL_JOINTS.index("head")
SPINE = [SMPL_JOINTS.index(f"spine{i}") for i in (1, 2, 3)]


def columns_of(person: Person, kind: str) -> dict[str, Any] | None:
    """What the record says now; None if its camera does not see the stored picture any more."""
    StateUncertainty().process([person.photo])
    record = person.photo.record() | person.record()
    return None if person.rejected else {name: record[name] for name in COLUMNS[kind]}


def attach(seen: StoredPose) -> Person:
    """The person, alone in the photo."""
    seen.person.photo.people = [seen.person]
    return seen.person


def state_head(seen: StoredPose, head: Doubles, body: BodyModel, neck: Doubles | None = None) -> None:
    """Set neck, head and the head's angles.

    Args:
        seen: the record.
        head: 3×3 head axes to the record's camera.
        body: model of the record.
        neck: 3×3 about the torso's axes; see `StoredPose.neck_and_head`.
    """
    camera, before = known(seen.person.camera), known(seen.person.body)
    yaw, pitch, roll = _head_angles(seen, head, neck)
    pose = np.array(before.smpl_pose, np.float64)
    pose[[NECK, HEAD_JOINT]] = np.stack(seen.neck_and_head(head, neck))
    seen.person.camera = replace(camera, head_yaw_deg=yaw, head_pitch_deg=pitch, head_roll_deg=roll)
    seen.person.body = _label(seen, body, pose, before.smpl_betas)


def head_scores(
    seen: StoredPose, head: Doubles, neck: Doubles | None, network: str, source: Source, share: float
) -> HeadPoseScores:
    """What a row states of the head, whatever the labels make of it.

    Args:
        seen: the record, before its labels change.
        head: 3×3 head axes to the record's camera, as stated.
        neck: 3×3 about the torso's axes, if it is stated.
        network: the program that states it.
        source: how far it is off.
        share: of it in the new label.
    """
    angles, gate = _head_angles(seen, head, neck), "used" if share > 0 else "disagrees"
    return HeadPoseScores(network, gate, *angles, source.sigma_deg, source.p_flip)


def _head_angles(seen: StoredPose, head: Doubles, neck: Doubles | None) -> tuple[float, float, float]:
    to_cam = world2cam(known(seen.person.camera).cam2world)
    turn, _ = seen.neck_and_head(head, neck)
    yaw, pitch, roll = part_angles(head, head_joint(to_cam[:3, :3], turn) + to_cam[:3, 3])
    return float(yaw), float(pitch), float(roll)


def state_body(seen: StoredPose, torso: Fused, joints: Doubles, betas: Floats, body: BodyModel) -> None:
    """Set the camera of a torso and the pose of its body, which stays where it is in the photo.

    Args:
        seen: the record.
        torso: chest to the camera that looks at the neck.
        joints: (24, 3, 3) about the parent joint; the first is not used.
        betas: (10,) shape numbers of `body`.
        body: model to state the pose for.
    """
    person, cam2world = seen.person, camera_from_torso(torso.rotation)
    pose = rotmat_to_rotvec(joints)
    chest = product(*joints[SPINE])
    pose[0] = rotmat_to_rotvec(product(world2cam(cam2world)[:3, :3], chest.T))
    neck_head = pose[[NECK, HEAD_JOINT]]
    person.camera = camera_label(cam2world, neck_head)
    turned = product(torso.rotation, joints[NECK], joints[HEAD_JOINT])
    person.fit = replace(seen.fit, torso_to_cam=torso.rotation, head_to_cam=np.asarray(turned))
    person.body = _label(seen, body, pose, betas)
    state_camera(person)
    if known(person.orientation).orientation_sigma_deg > 0:
        person.orientation = Orientation(torso.sigma_deg, torso.p_flip, float(angles_of(torso.rotation)[0]))


def _label(seen: StoredPose, body: BodyModel, pose: Doubles, betas: Floats) -> BodyLabel:
    neck = world2cam(known(seen.person.camera).cam2world)[:3, 3]
    observed = known(seen.person.body).pose_observed
    transl = body.transl_for_neck(pose, neck, betas)
    return BodyLabel(body.name, pose, betas, transl, observed, pose[[NECK, HEAD_JOINT]])


def state_keypoints(seen: StoredPose, points: Doubles) -> None:
    """Set the 17 COCO keypoints."""
    seen.person.box = replace(seen.person.box, has_coco_keypoints=True, coco_keypoints=points)


def joints_of(seen: StoredPose) -> Doubles:
    """(24, 3, 3) rotations of the record."""
    return rotvec_to_rotmat(known(seen.person.body).smpl_pose)


def body_joints(body: Body, before: Doubles, share: float) -> Doubles:
    """(24, 3, 3) of a prediction, or between the record's and the prediction's.

    Args:
        body: the prediction.
        before: (24, 3, 3) of the record.
        share: of the prediction; 1 replaces.
    """
    return body.joints if share >= 1 else between(before, body.joints, share)
