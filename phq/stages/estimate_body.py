"""Stage: a network's body in place of the fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from phq.camera.angles import apart_deg
from phq.camera.rotations import rotmat_to_rotvec
from phq.detect.backends.offers import open_backend, wants_of
from phq.detect.neighbours import own_pixels
from phq.people.person import BodyPose, Person, Photo, TorsoFit, known, living
from phq.people.record import FitScores, HeadPoseScores, Orientation
from phq.pose.closed_form import HEAD_SIZE, head_joint, landmark_table
from phq.pose.evidence import photo_intrinsics, sight
from phq.pose.orient.angles import angles_of
from phq.schema import SMPL_JOINTS
from phq.system.arrays import Floats
from phq.system.linear import length, product

if TYPE_CHECKING:
    from phq.detect.backends.protocols import BodyNetwork

SPINE = [SMPL_JOINTS.index(f"spine{i}") for i in (1, 2, 3)]
NECK, HEAD = SMPL_JOINTS.index("neck"), SMPL_JOINTS.index("head")
SAME_SIDE_DEG = 90.0


class EstimateBody:
    """The body that a network states; what the orientation network said of front and back stays evidence."""

    name = "fit"

    def __init__(self, spec: str) -> None:
        self.spec = spec
        self.wants = wants_of("body", spec)

    def setup(self) -> None:
        """Load the network."""
        self.network: BodyNetwork = open_backend("body", self.spec)

    def process(self, photos: list[Photo]) -> None:
        """Every person that has a start."""
        people = [person for person in living(photos) if person.start is not None]
        bodies = self.network.estimate([(own_pixels(person), person.box.edges) for person in people])
        for person, body in zip(people, bodies, strict=True):
            take_body(person, body)


def take_body(person: Person, body: BodyPose) -> None:
    """Set fit, scores and orientation of a stated body, or reject a degenerate one."""
    numbers = np.concatenate([body.joints.ravel(), body.neck_px, [body.px_per_metre]])
    if not np.isfinite(numbers).all() or body.px_per_metre <= 0:
        person.reject("degenerate_pose", "the body network gave no finite numbers")
        return
    person.fit, person.head_pose = fit_of(person, body), HeadPoseScores()
    before = person.orientation
    yaw = float(angles_of(person.fit.torso_to_cam)[0])
    doubt = before.orientation_p_flip if before is not None else 0.0
    agree = before is None or apart_deg(yaw, before.orientation_yaw_deg) <= SAME_SIDE_DEG
    doubt = max(doubt, body.p_flip) if agree else max(1 - doubt, body.p_flip)
    person.orientation = Orientation(body.sigma_deg, doubt, yaw)
    person.fit_scores = FitScores(person.fit.residual, 0.0)


def fit_of(person: Person, body: BodyPose) -> TorsoFit:
    """A stated body about the line of sight to its neck."""
    K, box = photo_intrinsics(person), person.box.edges
    to_neck = product(sight(K, body.neck_px), sight(K, (box[:2] + box[2:]) / 2).T)
    torso = product(to_neck, body.joints[0], *body.joints[SPINE])
    head = product(torso, body.joints[NECK], body.joints[HEAD])
    turns = rotmat_to_rotvec(body.joints)
    joints = {name: turns[i] for i, name in enumerate(SMPL_JOINTS) if name != "pelvis"}
    residual = off_landmarks(person, torso, head, joints["neck"], body)
    return TorsoFit(torso, head, np.asarray(body.neck_px), float(body.px_per_metre), residual, joints, body.betas)


def off_landmarks(person: Person, torso: Floats, head: Floats, neck: Floats, body: BodyPose) -> float:
    """Mean distance of the face and shoulder landmarks from the body, fraction of the head's size."""
    table, seen = landmark_table(), known(person.keypoints).keypoints_2d
    face = product(table.placed[:11], head.T) + head_joint(torso, neck)
    model = np.concatenate([face, product(table.placed[11:], torso.T)])[:, :2]
    off = length(body.neck_px + body.px_per_metre * model - seen[: len(model)]) / body.px_per_metre
    weights = 1 / table.spread**2
    return float((weights * off).sum() / weights.sum() / HEAD_SIZE)
