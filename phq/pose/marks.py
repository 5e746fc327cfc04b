"""Where each network puts its marks on the body, which depends on the side the body is seen from.

A face network guesses eyes and nose on the back of a head, and puts them higher or lower than on a face;
``mark_table.json`` (made by ``tools/calibrate_landmarks.py`` from rendered people with exact truth) has the place of
every mark as a + b·cos(yaw) + c·cos²(yaw) in the axes of its body part, and its spread likewise.
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

HEAD_MARKS = 11
"""Landmarks below this number are on the head."""
LIMBS = {13: "left_elbow", 14: "right_elbow", 23: "left_hip", 24: "right_hip"}
"""Landmarks that are taken for joints of the body."""
LIMB_SIGMA = {13: 0.1, 14: 0.1, 23: 0.18, 24: 0.18}
"""Metres: elbows swing, hips are often guessed."""
TOGETHER = {"blazepose": (2.5, 2.0), "movenet": (1.5, 2.0), "centerface": (1.0, 1.0)}
"""Errors of one network's marks go together, on the head and on the shoulders: eleven say little more than two."""
LEAST_SIGMA = 0.008
"""Metres."""
MEDIAN_TO_SIGMA = 1 / 1.1774
"""Of the length of a two-dimensional Gaussian error."""
_NODE = {**dict.fromkeys(range(HEAD_MARKS), 2), 11: 3, 12: 4, 13: 5, 14: 6, 23: 7, 24: 7}


@dataclass(frozen=True)
class MarkTable:
    """Marks of one network."""

    landmarks: tuple[int, ...]
    """(N,) numbers of `phq.schema.LANDMARKS`; head and shoulders."""
    places: Floats
    """(N, 3 terms, 3) about the head joint (head marks) or the neck (shoulders), metres, axes of the part."""
    spread: Floats
    """(N, 3 terms) median distance from there, metres."""


@cache
def mark_tables() -> dict[str, MarkTable]:
    """The vendored tables of ``blazepose``, ``movenet`` and ``centerface``."""
    data = json.loads((Path(__file__).parent / "mark_table.json").read_text(encoding="utf-8"))
    return {
        name: MarkTable(tuple(part["landmarks"]), np.array(part["places"]), np.array(part["spread"]))
        for name, part in data["networks"].items()
    }


def view_terms(yaw: Floats) -> Floats:
    """(…, 3) of yaw in radians: 1, cos, cos²; even, so that a mirror image gives the mirrored place."""
    c = np.cos(yaw)
    return np.stack([np.ones_like(c), c, c * c], -1)


def marks_of(network: str, torso_yaws: Floats, head_yaws: Floats) -> chain.Marks:
    """All marks of a network for B bodies that are seen from such yaws (radians); sigmas are those of the first."""
    table = mark_tables()[network]
    on_head = np.array(table.landmarks) < HEAD_MARKS
    by_part = np.where(on_head[:, None, None], view_terms(head_yaws), view_terms(torso_yaws))  # (N, B, 3)
    rest = np.einsum("nbt,ntd->bnd", by_part, table.places) + np.where(on_head[:, None], chain.head_pivot(), 0.0)
    sigmas = np.maximum(np.einsum("nt,nt->n", by_part[:, 0], table.spread) * MEDIAN_TO_SIGMA, LEAST_SIGMA)
    sigmas *= np.where(on_head, *TOGETHER[network])
    near = _marks(np.array(table.landmarks), rest, sigmas)
    return near if network == "centerface" else near.joined(_limbs(len(rest)))


def _limbs(bodies: int) -> chain.Marks:
    numbers = np.array([*LIMBS])
    body = load_body()
    neck = body.joints_template[SMPL_JOINTS.index("neck")]
    rest = body.joints_template[[SMPL_JOINTS.index(name) for name in LIMBS.values()]] - neck
    return _marks(numbers, np.repeat(rest[None], bodies, 0), np.array([LIMB_SIGMA[i] for i in numbers]))


def _marks(numbers: np.ndarray, rest: Floats, sigmas: Floats) -> chain.Marks:
    shapes = np.stack([_shape_directions()[int(i)] for i in numbers])
    return chain.Marks(numbers, np.array([_NODE[int(i)] for i in numbers]), rest, shapes, sigmas)


@cache
def _shape_directions() -> dict[int, Floats]:
    """(3, 4) by landmark: how it moves with the shape numbers, the neck staying where it is."""
    body = load_body()
    neck = body.joint_shapedirs[SMPL_JOINTS.index("neck"), :, :4]
    out: dict[int, Floats] = {}
    for i in range(HEAD_MARKS):
        point = body.face_points.get(LANDMARKS[i], body.face_points["nose"])
        out[i] = body.shapedirs[point, :, :4] - neck
    joints = {11: "left_shoulder", 12: "right_shoulder", **LIMBS}
    return out | {i: body.joint_shapedirs[SMPL_JOINTS.index(name), :, :4] - neck for i, name in joints.items()}
