"""Where each network puts its keypoints on the body, which depends on the side that the camera sees.

A face network guesses eyes and nose on the back of a head, and puts them higher or lower than on a face;
``keypoint_table.json`` (made by ``tools/calibrate_keypoints.py`` from rendered people with exact truth) has the place
of every keypoint as a + b·cos(yaw) + c·cos²(yaw) in the axes of its body part, and its spread likewise.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from phq.pose import chain
from phq.pose.body import load_body
from phq.schema import LANDMARKS, SMPL_JOINTS
from phq.system.arrays import Floats
from phq.system.elementary import cos

HEAD_KEYPOINTS = 11
"""Landmarks below this number are on the head."""
LIMBS = {13: "left_elbow", 14: "right_elbow", 23: "left_hip", 24: "right_hip"}
"""Landmarks that count as joints of the body."""
LIMB_SIGMA = {13: 0.1, 14: 0.1, 23: 0.18, 24: 0.18}
"""Metres: elbows swing, hips are often guessed."""
TOGETHER = {"blazepose": (2.5, 2.0), "movenet": (1.5, 2.0), "centerface": (1.0, 1.0)}
"""Factors of the sigmas of head and shoulders: the errors of one network are correlated, so that eleven keypoints say
little more than two."""
LEAST_SIGMA = 0.008
"""Metres."""
MEDIAN_TO_SIGMA = 1 / 1.1774
"""Median length of a two-dimensional Gaussian error to its sigma per axis."""
_NODE = {**dict.fromkeys(range(HEAD_KEYPOINTS), 2), 11: 3, 12: 4, 13: 5, 14: 6, 23: 7, 24: 7}


@dataclass(frozen=True)
class KeypointTable:
    """The keypoints of one network."""

    landmarks: tuple[int, ...]
    """(N,) numbers of `phq.schema.LANDMARKS`; head and shoulders."""
    places: Floats
    """(N, 3 terms, 3) about the head joint (head keypoints) or the neck (shoulders), metres, axes of the part."""
    spread: Floats
    """(N, 3 terms) median distance from there, metres."""


@cache
def keypoint_tables() -> dict[str, KeypointTable]:
    """The vendored tables of ``blazepose``, ``movenet`` and ``centerface``."""
    data = json.loads((Path(__file__).parent / "keypoint_table.json").read_text(encoding="utf-8"))
    return {
        name: KeypointTable(tuple(part["landmarks"]), np.array(part["places"]), np.array(part["spread"]))
        for name, part in data["networks"].items()
    }


def view_terms(yaw: Floats) -> Floats:
    """(…, 3) of yaw in radians: 1, cos, cos²; even, so that a mirror image gives the mirrored place."""
    c = cos(yaw)
    return np.stack([np.ones_like(c), c, c * c], -1)


def keypoints_of(network: str, torso_yaws: Floats, head_yaws: Floats) -> chain.BodyKeypoints:
    """All keypoints of a network for B bodies that are seen from such yaws (radians); sigmas are those of the first."""
    table = keypoint_tables()[network]
    on_head = np.array(table.landmarks) < HEAD_KEYPOINTS
    by_part = np.where(on_head[:, None, None], view_terms(head_yaws), view_terms(torso_yaws))  # (N, B, 3)
    rest = np.einsum("nbt,ntd->bnd", by_part, table.places) + np.where(on_head[:, None], chain.head_pivot(), 0.0)
    sigmas = np.maximum(np.einsum("nt,nt->n", by_part[:, 0], table.spread) * MEDIAN_TO_SIGMA, LEAST_SIGMA)
    sigmas *= np.where(on_head, *TOGETHER[network])
    near = _keypoints(np.array(table.landmarks), rest, sigmas)
    return near if network == "centerface" else near.joined(_limbs(len(rest)))


def _limbs(bodies: int) -> chain.BodyKeypoints:
    numbers = np.array([*LIMBS])
    body = load_body()
    neck = body.joints_template[SMPL_JOINTS.index("neck")]
    rest = body.joints_template[[SMPL_JOINTS.index(name) for name in LIMBS.values()]] - neck
    return _keypoints(numbers, np.repeat(rest[None], bodies, 0), np.array([LIMB_SIGMA[i] for i in numbers]))


def _keypoints(numbers: np.ndarray, rest: Floats, sigmas: Floats) -> chain.BodyKeypoints:
    shapes = np.stack([_shape_directions()[int(i)] for i in numbers])
    return chain.BodyKeypoints(numbers, np.array([_NODE[int(i)] for i in numbers]), rest, shapes, sigmas)


@cache
def _shape_directions() -> dict[int, Floats]:
    """(3, 4) by landmark: how it moves with the shape numbers, the neck staying where it is."""
    body = load_body()
    neck = body.joint_shapedirs[SMPL_JOINTS.index("neck"), :, :4]
    out: dict[int, Floats] = {}
    for i in range(HEAD_KEYPOINTS):
        point = body.face_points.get(LANDMARKS[i], body.face_points["nose"])
        out[i] = body.shapedirs[point, :, :4] - neck
    joints = {11: "left_shoulder", 12: "right_shoulder", **LIMBS}
    return out | {i: body.joint_shapedirs[SMPL_JOINTS.index(name), :, :4] - neck for i, name in joints.items()}
