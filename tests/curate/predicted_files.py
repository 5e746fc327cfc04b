"""Predictions of drawn people, whose labels are exact, as other programs would write them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.spatial.transform import Rotation

from phq.dataset.overlays import write_overlay
from phq.dataset.reader import Dataset
from phq.pose.template import symmetric_points
from phq.schema import BOX
from phq.synth.synthesising import synthesise
from phq.synth.views import Spread

COUNT, SIZE = 16, 64
WIDTH, HEIGHT, FOCAL = 640, 480, 500.0
Row = dict[str, Any]
TO_CV = np.diag([1.0, -1.0, -1.0])
"""Axes with y up and z towards the viewer, in OpenCV's."""


def drawn_people(out: Path) -> Path:
    """Drawn people whose headshots lie all over wide photos, two people a photo."""
    synthesise(out, COUNT, size=SIZE, seed=1, spread=Spread(), workers=1)
    rng = np.random.default_rng(3)
    rows = [_placed(key, i, rng) for i, key in enumerate(Dataset(out).keys)]
    columns = [name for name in rows[0] if name != "key"]
    write_overlay(out, "placed", rows, columns, {"command": "test"})
    return out


def _placed(key: str, number: int, rng: np.random.Generator) -> Row:
    """The headshot on the left or right of a photo."""
    scale = rng.uniform(2.0, 3.5)
    x = rng.uniform(0, 60) if number % 2 == 0 else rng.uniform(WIDTH - 60 - scale * SIZE, WIDTH - scale * SIZE)
    y = rng.uniform(0, HEIGHT - scale * SIZE)
    box = [x + 5, y, x + scale * SIZE - 5, y + scale * SIZE]
    keypoints = np.column_stack([rng.uniform(box[0], box[2], 17), rng.uniform(box[1], box[3], 17), np.ones(17)])
    return {
        "key": key,
        "source_path": f"people/IMG_{number // 2:04d}.jpg",
        "source_sha256": f"{number // 2:064x}",
        "image_width": WIDTH,
        "image_height": HEIGHT,
        "focal_px": FOCAL,
        "crop_to_source": [scale, 0.0, x, 0.0, scale, y],
        "crop_side_px": scale * SIZE,
        **dict(zip(BOX, box, strict=True)),
        "has_coco_keypoints": True,
        "coco_keypoints": keypoints.ravel().tolist(),
        "orientation_sigma_deg": 9.0,
        "orientation_p_flip": 0.01,
        "orientation_yaw_deg": 0.0,
        "yaw_sigma_deg": 8.0,
    }


@dataclass(frozen=True)
class Drawn:
    """One person's rotations."""

    row: Row
    crop: np.ndarray
    """3×3 camera of the headshot from the world, which is the chest's."""
    photo: np.ndarray
    """3×3 camera of the photo from the world."""
    line: np.ndarray
    """3×3 camera of the photo from the level camera that looks at the middle of the box."""

    @property
    def joints(self) -> np.ndarray:
        return np.array(Rotation.from_rotvec(np.reshape(self.row["smpl_pose"], (24, 3))).as_matrix())

    def head(self, base: np.ndarray) -> np.ndarray:
        return base @ self.joints[12] @ self.joints[15]

    def root(self, base: np.ndarray) -> np.ndarray:
        spine = self.joints[3] @ self.joints[6] @ self.joints[9]
        return base @ spine.T


def level(direction: np.ndarray) -> np.ndarray:
    """3×3 to a camera that looks along a direction, level."""
    z = direction / np.linalg.norm(direction)
    x = np.cross([0.0, 1.0, 0.0], z)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z])


def ray(x: float, y: float) -> np.ndarray:
    return np.array([(x - WIDTH / 2) / FOCAL, (y - HEIGHT / 2) / FOCAL, 1.0])


def truth(row: Row) -> Drawn:
    """What a program that makes no error would see."""
    cam2world = np.reshape(row["cam2world"], (4, 4))
    crop = cam2world[:3, :3].T
    neck = np.reshape(row["intrinsics"], (3, 3)) @ (-crop @ cam2world[:3, 3])
    scale, _, x0, _, _, y0 = row["crop_to_source"]
    pixel = neck[:2] / neck[2] * row["image_size"] * scale + [x0, y0]
    away = -cam2world[:3, 3] / np.linalg.norm(cam2world[:3, 3])
    down = np.cross(away, cam2world[:3, 0])
    down /= np.linalg.norm(down)
    torso = np.stack([np.cross(down, away), down, away])
    photo = level(ray(*pixel)).T @ torso
    box = [row[name] for name in BOX]
    line = level(ray((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)).T
    return Drawn(row, crop, photo, line)


def people(dataset: Path) -> list[Drawn]:
    return [truth(item.row) for item in Dataset(dataset, rejects=True)]


def turned(rotation: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    """Noise of so many degrees about every axis."""
    return Rotation.from_rotvec(np.radians(rng.normal(0, noise, 3))).as_matrix() @ rotation


def straight(person: Drawn, head: np.ndarray) -> np.ndarray:
    """A head in the headshot's camera, in one that looks straight at the head joint."""
    cam2world = np.reshape(person.row["cam2world"], (4, 4))
    neck = -person.crop @ cam2world[:3, 3]
    joint = neck + person.crop @ person.joints[12] @ symmetric_points(("head",))[0]
    return level(joint) @ head


def axes(rotation: np.ndarray) -> np.ndarray:
    """Head to camera, with both in axes with y up: right-handed, the identity is a front."""
    return TO_CV @ rotation


def lp300w(rotation: np.ndarray) -> tuple[float, float, float]:
    """Pitch, yaw, roll with R = Rx(−pitch) Ry(−yaw) Rz(−roll) in axes with y up, degrees."""
    pitch, yaw, roll = -Rotation.from_matrix(axes(rotation)).as_euler("XYZ", degrees=True)
    return float(pitch), float(yaw), float(roll)


def tddfa(rotation: np.ndarray) -> tuple[float, float, float]:
    """Pitch, yaw, roll as ``matrix2angle`` takes them: yaw = asin R20, in axes with y up."""
    r = axes(rotation)
    yaw = np.arcsin(r[2, 0])
    pitch = np.arctan2(r[2, 1] / np.cos(yaw), r[2, 2] / np.cos(yaw))
    roll = np.arctan2(r[1, 0] / np.cos(yaw), r[0, 0] / np.cos(yaw))
    return tuple(np.degrees([pitch, yaw, roll]))


def openface(rotation: np.ndarray) -> tuple[float, float, float]:
    """Pitch, yaw, roll with R = Rx Ry Rz of a face that looks along −z of an OpenCV camera, radians."""
    return tuple(Rotation.from_matrix(rotation @ TO_CV).as_euler("XYZ"))


def jsonl(path: Path, rows: Iterable[Row]) -> Path:
    path.write_text("".join(json.dumps(row, default=lambda v: v.tolist()) + "\n" for row in rows))
    return path


def parquet(path: Path, rows: Iterable[Row]) -> Path:
    plain = [{k: v.tolist() if hasattr(v, "tolist") else v for k, v in row.items()} for row in rows]
    pq.write_table(pa.Table.from_pylist(plain), path)
    return path


def npz(path: Path, rows: Iterable[Row]) -> Path:
    rows = list(rows)
    np.savez(path, **{name: np.array([row[name] for row in rows]) for name in rows[0]})
    return path


def table(path: Path, rows: Iterable[Row]) -> Path:
    rows = list(rows)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([f" {name}" for name in rows[0]])
        writer.writerows(
            [" ".join(map(repr, map(float, v))) if np.ndim(v) else v for v in row.values()] for row in rows
        )
    return path


def folder(path: Path, rows: Iterable[Row]) -> Path:
    """A file a person, named after the photo."""
    path.mkdir()
    for number, row in enumerate(rows):
        name = Path(row.pop("photo")).stem
        np.savez(path / f"{name}_{number % 2}.npz", **{k: np.asarray(v)[None] for k, v in row.items()})
    return path


def body_box(person: Drawn) -> np.ndarray:
    return np.array([person.row[name] for name in BOX])


Writer = Callable[[Path, Iterable[Row]], Path]
