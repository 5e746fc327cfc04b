"""The mean shape of the embedded body: the adult of `anny_people` that is nearest to SMPL's template table, and the
named points on its skin; used by `derive_body`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from anny_people import LOCAL, MIRROR, AnnyPeople, Person, other_side
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.optimize import least_squares

from phq.pose import template
from phq.schema import SMPL_JOINTS

Doubles = NDArray[np.float64]

BONES = {
    "pelvis": "root", "left_hip": "upperleg01.L", "spine1": "spine04", "left_knee": "lowerleg01.L",
    "spine2": "spine03", "left_ankle": "foot.L", "spine3": "spine02", "left_foot": "toe2-1.L", "neck": "neck01",
    "left_collar": "clavicle.L", "head": "head", "left_shoulder": "upperarm01.L", "left_elbow": "lowerarm01.L",
    "left_wrist": "wrist.L", "left_hand": "finger3-1.L",
}  # fmt: skip
"""Bone whose head stands for an SMPL joint; the right side follows."""


def bone_of(joint: str) -> str:
    """Bone of an SMPL joint of either side."""
    return BONES[joint] if joint in BONES else other_side(BONES[joint.replace("right", "left")])


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
            near = [(v[i] - table[name]) / 0.003 for name, i in ids.items()]
            shoulder = (person.bones["upperarm01.L"] - table["left_shoulder"]) / 0.003
            floor_and_fingertip = np.array([v[:, 1].min() - low[1], v[:, 0].max() - high[0]]) / 0.006
            depth = np.array([v[:, 2].min() - low[2], v[:, 2].max() - high[2]]) / 0.02
            return np.concatenate([*near, shoulder, floor_and_fingertip, depth, z])

        z = least_squares(residual, z, jac=central_differences(residual), max_nfev=12).x
    mean = build(people, z)
    return replace(mean, person=bend_to_table(people, mean.person))


def bend_to_table(people: AnnyPeople, person: Person) -> Person:
    """The last millimetres: a smooth field (thin-plate spline) that puts nose, ears and head top where the table
    has them, and leaves every joint at rest."""
    table = dict(zip(template.POINTS, template.symmetric_points(), strict=True))
    ids = template_vertices(people, person)
    ids["right_ear"] = int(people.mirrored[ids["left_ear"]])
    anchors = joint_positions(person)
    source = np.concatenate([person.vertices[list(ids.values())], anchors])
    target = np.concatenate([[table[name] for name in ids], anchors])
    field = RBFInterpolator(source, target - source, kernel="thin_plate_spline")

    def bend(points: Doubles) -> Doubles:
        return np.asarray(points + (field(points) + field(points * MIRROR) * MIRROR) / 2)

    heads = bend(np.stack(list(person.bones.values())))
    return Person(bend(person.vertices), dict(zip(person.bones, heads, strict=True)))


def central_differences(f: Callable[[Doubles], Doubles], step: float = 0.05) -> Callable[[Doubles], Doubles]:
    """Jacobian of f; the step is wide because anny's shape is piecewise linear with kinks."""

    def jacobian(z: Doubles) -> Doubles:
        columns = [(f(z + e) - f(z - e)) / (2 * step) for e in np.eye(len(z)) * step]
        return np.stack(columns, axis=1)

    return jacobian


def template_vertices(people: AnnyPeople, person: Person) -> dict[str, int]:
    """Vertices for the table's nose (tip), left ear and head top (nearest)."""
    table = dict(zip(template.POINTS, template.symmetric_points(), strict=True))
    v, middle = person.vertices, people.on_seam
    return {
        "nose": best(v[:, 2], middle & (v[:, 1] > 0)),
        "left_ear": best(-distance(v, table["left_ear"]), v[:, 0] > 0),
        "head_top": best(-distance(v, table["head_top"]), middle),
    }


def skin_points(people: AnnyPeople, person: Person) -> dict[str, int]:
    """Every named vertex; names are those of `phq.schema.LANDMARKS` where one means the same."""
    table = template_vertices(people, person)
    v, bones, everywhere = person.vertices, person.bones, np.ones(len(person.vertices), dtype=bool)
    eyeball = people.weights[:, people.labels.index("eye.L")] > 0.5
    lids = people.border & ~eyeball & (distance(v, bones["eye.L"]) < 0.03)
    inner, outer = best(-v[:, 0], lids), best(v[:, 0], lids)
    foot = (v[:, 1] < v[:, 1].min() + 0.04) & (v[:, 0] > 0)
    face = v[:, 2] > v[table["nose"], 2] - 0.06
    chin = best(v[:, 2] - v[:, 1], people.on_seam & face & (v[:, 1] > 0))
    lips = people.border & (v[:, 1] > v[chin, 1]) & (v[:, 1] < v[table["nose"], 1])
    left = {
        "left_eye": best(-distance(v[:, :2], (v[inner] + v[outer])[:2] / 2), eyeball), "left_eye_inner": inner,
        "left_eye_outer": outer, "mouth_left": best(v[:, 0], lips), "left_ear": people.ear_canal,
        "left_ear_back": table["left_ear"], "left_heel": best(-v[:, 2], foot), "left_foot_index": best(v[:, 2], foot),
    }  # fmt: skip
    knuckles = {"left_thumb": "finger1-2.L", "left_index": "finger2-1.L", "left_pinky": "finger5-1.L"}
    left |= {name: best(-distance(v, bones[bone]), everywhere) for name, bone in knuckles.items()}
    right = {name.replace("left", "right"): int(people.mirrored[i]) for name, i in left.items()}
    return {"nose": table["nose"], "head_top": table["head_top"], "chin": chin} | left | right


def best(score: Doubles, among: NDArray[np.bool_]) -> int:
    """Vertex of highest score among some."""
    return int(np.argmax(np.where(among, score, -np.inf)))


def distance(points: Doubles, centre: Doubles) -> Doubles:
    """Distance (N,) of points (N, 3) from a point."""
    return np.asarray(np.linalg.norm(points - centre, axis=1))


def joint_positions(mean: Person) -> Doubles:
    """Rest joints (24, 3): from the template table where it has them, else the bone heads."""
    joints = np.stack([mean.bones[bone_of(name)] for name in SMPL_JOINTS])
    for name, position in zip(template.POINTS, template.symmetric_points(), strict=True):
        if name in SMPL_JOINTS:
            joints[SMPL_JOINTS.index(name)] = position
    return joints
