"""Rows as programs write them, in every format and convention, and the labels that they must lead to."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from predicted_files import (
    TO_CV,
    Drawn,
    Row,
    Writer,
    body_box,
    folder,
    jsonl,
    lp300w,
    npz,
    openface,
    parquet,
    people,
    straight,
    table,
    tddfa,
    turned,
)
from scipy.spatial.transform import Rotation

from phq.curate.predictions.annotation import Predictions, annotate_from_predictions
from phq.dataset.reader import Dataset
from phq.pose.orient.angles import angles_of

EULER = ("pitch", "yaw", "roll")
NOISE = 6.0


def key(person: Drawn) -> Row:
    return {"key": person.row["key"]}


def photo_and_box(person: Drawn) -> Row:
    return {"photo": f"/elsewhere/{person.row['source_path']}", "box": body_box(person)}


def head_box(person: Drawn) -> np.ndarray:
    scale, _, x, _, _, y = person.row["crop_to_source"]
    side = scale * person.row["image_size"]
    return np.array([x + 0.25 * side, y, x + 0.75 * side, y + 0.55 * side])


def whenet(person: Drawn, rotation: np.ndarray) -> Row:
    return {**key(person), **dict(zip(EULER, lp300w(rotation), strict=True))}


def sixd(person: Drawn, rotation: np.ndarray) -> Row:
    return {**key(person), "R_pred": (TO_CV @ rotation).T}


def dense(person: Drawn, rotation: np.ndarray) -> Row:
    named = {"photo": Path(person.row["source_path"]).name, "box": head_box(person)}
    return {**named, **dict(zip(EULER, tddfa(rotation), strict=True))}


def of_openface(person: Drawn, rotation: np.ndarray) -> Row:
    return {**photo_and_box(person), **dict(zip(("pose_Rx", "pose_Ry", "pose_Rz"), openface(rotation), strict=True))}


def axis_angle(person: Drawn, rotation: np.ndarray) -> Row:
    named = {"sha256": person.row["source_sha256"], "box": body_box(person)}
    return {**named, "rotation": Rotation.from_matrix(rotation).as_rotvec()}


def own_angles(person: Drawn, rotation: np.ndarray, sign: float = 1.0) -> Row:
    return {**key(person), **dict(zip(("yaw", "pitch", "roll"), sign * angles_of(rotation), strict=True))}


HEADS: dict[str, tuple[str, str, Callable[[Drawn, np.ndarray], Row], Writer]] = {
    "whenet.jsonl": ("whenet", "straight", whenet, jsonl),
    "6drepnet.npz": ("6drepnet", "straight", sixd, npz),
    "3ddfa.csv": ("3ddfa", "straight", dense, table),
    "openface.csv": ("openface", "photo", of_openface, table),
    "axis-angle.parquet": ("full-image", "photo", axis_angle, parquet),
    "own.csv": ("phq,crop", "straight", own_angles, table),
    "own-signs.csv": ("phq,crop,yaw+right,pitch+down,roll+right", "straight", partial(own_angles, sign=-1.0), table),
    "headshot.jsonl": ("headshot", "crop", axis_angle, jsonl),
}


def head_in(person: Drawn, base: str) -> np.ndarray:
    """The head's rotation in the photo's camera, the headshot's, or one that looks straight at it."""
    if base == "straight":
        return straight(person, person.head(person.crop))
    return person.head(person.photo if base == "photo" else person.crop)


def noisy_heads(name: str, dataset: Path, out: Path, noise: float = NOISE) -> tuple[Path, list[np.ndarray]]:
    _, base, row, write = HEADS[name]
    rng = np.random.default_rng(7)
    found = [(person, turned(head_in(person, base), noise, rng)) for person in people(dataset)]
    return write(out / name, [row(*pair) for pair in found]), [rotation for _, rotation in found]


def take(dataset: Path, file: Path, kind: str, convention: str, **more: Any) -> Any:
    return annotate_from_predictions(dataset, "new", Predictions(file, kind, convention, **more))


def joints_with_noise(person: Drawn, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rotation of the chest in the photo's camera, and 24 joints, each with noise."""
    joints = np.stack([turned(joint, 1.0, rng) for joint in person.joints])
    joints[22:] = np.eye(3)
    return turned(person.photo, NOISE, rng), joints


def root_in(chest: np.ndarray, joints: np.ndarray) -> np.ndarray:
    return chest @ (joints[3] @ joints[6] @ joints[9]).T


def humans(person: Drawn, root: np.ndarray, joints: np.ndarray) -> Row:
    box = body_box(person)
    shape = {"box_center": (box[:2] + box[2:]) / 2, "box_size": np.array([2 * (box[3] - box[1])])}
    where = {"photo": person.row["source_path"], **shape, "img_size": np.array([640.0, 480.0])}
    return {**where, "global_orient": root[None], "body_pose": joints[1:], "betas": np.zeros(10)}


def vectors(person: Drawn, root: np.ndarray, joints: np.ndarray) -> Row:
    pose = Rotation.from_matrix(np.concatenate([root[None], joints[1:]])).as_rotvec()
    return {**photo_and_box(person), "pose": pose.ravel(), "image_size": [640, 480]}


def smplx(person: Drawn, root: np.ndarray, joints: np.ndarray) -> Row:
    pose = Rotation.from_matrix(joints[1:22]).as_rotvec().ravel()
    return {**key(person), "global_orient": Rotation.from_matrix(root).as_rotvec(), "body_pose": pose}


def world(person: Drawn, root: np.ndarray, joints: np.ndarray) -> Row:
    camera = Rotation.random(random_state=int(person.row["key"][:4], 16)).as_matrix()
    return {**smplx(person, camera.T @ root, joints), "world2cam": camera}


def opengl(person: Drawn, root: np.ndarray, joints: np.ndarray) -> Row:
    return {**vectors(person, TO_CV @ root, joints), **key(person)}


BODIES: dict[str, tuple[str, str, Callable[..., Row], Writer]] = {
    "4dhumans": ("smpl", "4dhumans", humans, folder),
    "axis-angle.parquet": ("smpl", "full-image", vectors, parquet),
    "multi-hmr.npz": ("smplx", "multi-hmr", smplx, npz),
    "whac.npz": ("smplx", "whac", world, npz),
    "opengl.jsonl": ("smpl", "y-up", opengl, jsonl),
}


def noisy_bodies(name: str, dataset: Path, out: Path) -> tuple[Path, list[tuple[np.ndarray, np.ndarray]]]:
    _, convention, row, write = BODIES[name]
    rng = np.random.default_rng(11)
    rows, expected = [], []
    for person in people(dataset):
        chest, joints = joints_with_noise(person, rng)
        base = person.line.T @ chest if convention == "4dhumans" else chest
        rows.append(row(person, root_in(base, joints), joints))
        expected.append((chest, joints))
    order = (
        sorted(range(len(rows)), key=lambda i: str(people_name(dataset, i))) if write is folder else range(len(rows))
    )
    return write(out / name, [rows[i] for i in order]), expected


def people_name(dataset: Path, number: int) -> tuple[str, float]:
    row = Dataset(dataset, rejects=True)[number].row
    return row["source_path"], row["box_x0"]


def degrees(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.degrees(Rotation.from_matrix(one.T @ other).magnitude()))


def errors(dataset: Path, true: list[np.ndarray]) -> np.ndarray:
    return np.array([degrees(p.head(p.photo), r) for p, r in zip(people(dataset), true, strict=True)])
