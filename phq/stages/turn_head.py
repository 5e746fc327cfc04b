"""Stage: a head pose network as one more witness of how the head is turned."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from phq.camera.angles import apart_deg
from phq.camera.convention import level_view
from phq.camera.rotations import between, rotvec_to_rotmat
from phq.detect.backends.offers import network_id, open_backend, wants_of
from phq.detect.boxes import Boxes
from phq.detect.neighbours import own_pixels
from phq.people.person import HeadPose, Person, Photo, TorsoFit, known, living
from phq.people.record import HeadPoseScores
from phq.pose.closed_form import head_joint, share_turn
from phq.pose.orient.angles import angles_of
from phq.pose.orient.crop import SKULL
from phq.pose.template import head_height
from phq.system.arrays import Floats
from phq.system.linear import product

if TYPE_CHECKING:
    from phq.detect.backends.protocols import HeadPoseNetwork

SHARE = 0.3
"""Of the network's rotation in the result: its errors are wider than the fit's and uncorrelated with them."""
AGREE_DEG = 45.0
"""Most that its yaw may differ from the fit's."""
MOST_SIGMA_DEG, MOST_FLIP = 50.0, 0.3
"""Most that it may doubt itself."""
MOST_YAW_DEG = 60.0
"""Of the fitted head, for labels to follow the network: on held-back people fronts gain, sides and backs do not."""
LEAST_HEAD_PX = 40.0
"""Heads of 10 to 25 pixels it takes for anything."""
FRONTAL_DEG = 75.0
"""Yaw of the fitted head up to which a network of faces is asked."""
HEAD_SIDE = 0.27
"""Template metres: the box of a head with its hair, about the middle of the skull."""


class TurnHead:
    """The head between the fit and what a network says, where both agree and the network is sure."""

    name = "headpose"

    def __init__(self, spec: str) -> None:
        self.spec = spec
        self.wants = wants_of("headpose", spec)

    def setup(self) -> None:
        """Load the network."""
        self.network: HeadPoseNetwork = open_backend("headpose", self.spec)
        self.id = network_id("headpose", self.spec)

    def process(self, photos: list[Photo]) -> None:
        """Every person with a fit and a head that is large enough; of a network of faces, those who show theirs."""
        jobs: list[Person] = []
        for person in living(photos):
            if person.fit is not None:
                why = unasked(person.fit, self.network.frontal)
                person.head_pose = HeadPoseScores(self.id, why)
                jobs += [] if why else [person]
        heads = self.network.estimate([(own_pixels(person), head_box(known(person.fit))) for person in jobs])
        for person, head in zip(jobs, heads, strict=True):
            person.head_pose = scores_of(self.id, head, turn_head(person, head))


def unasked(fit: TorsoFit, frontal: bool) -> str:
    """Why a network can say nothing of this head, of `phq.schema.HEADPOSE_GATES`; '' if it can."""
    if head_height(fit.px_per_metre) < LEAST_HEAD_PX:
        return "small"
    return "no-face" if frontal and abs(float(angles_of(fit.head_to_cam)[0])) > FRONTAL_DEG else ""


def head_box(fit: TorsoFit) -> Boxes:
    """(4,) of the fitted head, photo pixels."""
    skull = head_joint(fit.torso_to_cam, fit.joints["neck"]) + product(fit.head_to_cam, SKULL)
    middle, half = fit.neck_px + fit.px_per_metre * skull[:2], HEAD_SIDE * fit.px_per_metre / 2
    return np.concatenate([middle - half, middle + half])


def in_view(person: Person, rotation: Floats) -> Floats:
    """A rotation about the line of sight to the head (3×3) in the camera that looks at the neck, as the fit has it."""
    fit = known(person.fit)
    depth = person.photo.source.focal_px / fit.px_per_metre
    at = head_joint(fit.torso_to_cam, fit.joints["neck"]) + np.array([0.0, 0.0, depth])
    return np.asarray(product(level_view(at).T, rotation))


def gate(fit: TorsoFit, head: HeadPose) -> str:
    """What becomes of a statement, of `phq.schema.HEADPOSE_GATES`.

    Args:
        fit: of the person.
        head: as stated, in the camera of the fit.
    """
    own, other = (float(angles_of(rotation)[0]) for rotation in (fit.head_to_cam, head.rotation))
    if abs(own) > MOST_YAW_DEG:
        return "turned"
    if head.sigma_deg > MOST_SIGMA_DEG or head.p_flip > MOST_FLIP:
        return "unsure"
    return "used" if apart_deg(own, other) <= AGREE_DEG else "disagrees"


def turn_head(person: Person, head: HeadPose) -> str:
    """Turn the fitted head by `SHARE` of the way to a network's, neck and head half of it each, if `gate` lets it.

    Returns:
        What the gate said.
    """
    fit = known(person.fit)
    seen = replace(head, rotation=in_view(person, head.rotation))
    result = gate(fit, seen)
    if result == "used":
        to_cam = between(fit.head_to_cam, seen.rotation, SHARE)
        before = rotvec_to_rotmat(np.stack([fit.joints["neck"], fit.joints["head"]]))
        neck, own = share_turn(product(fit.torso_to_cam.T, to_cam), before)
        person.fit = replace(fit, head_to_cam=to_cam, joints=fit.joints | {"neck": neck, "head": own})
    return result


def scores_of(network: str, head: HeadPose, result: str) -> HeadPoseScores:
    """The statement as it is stored, with what the gate said."""
    yaw, pitch, roll = (float(angle) for angle in angles_of(head.rotation))
    return HeadPoseScores(network, result, yaw, pitch, roll, head.sigma_deg, head.p_flip)
