"""Tiny datasets with known cameras, and loaders that follow the rules of the upstream ones, for the label tests."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from phq.camera.convention import camera_from_torso, intrinsics, project
from phq.camera.rotations import rotvec_to_rotmat
from phq.dataset.card import Card
from phq.dataset.write import write_dataset
from phq.exchange.formats import View
from phq.exchange.reading import label_person
from phq.people.person import Person, Photo
from phq.people.record import unmeasured
from phq.pose import template
from phq.schema import Sample, make_sample, sample_to_json

SIDE = 128
MARKS = ("nose", "left_ear", "right_ear", "head_top", "head")


def encoded(pixels: np.ndarray, kind: str = "PNG", **options: Any) -> bytes:
    """A picture as bytes."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def decoded(data: bytes) -> np.ndarray:
    """Pixels of an encoded picture."""
    return np.asarray(Image.open(io.BytesIO(data)))


def cameras(count: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Cameras all round, rolled, and turned heads, rounded as a dataset stores them."""
    rng = np.random.default_rng(seed)
    turned = Rotation.random(count, random_state=seed).as_matrix()
    return [(camera_from_torso(r).round(9), rng.normal(0, 0.3, 6).round(6)) for r in turned]


def head_points(names: tuple[str, ...], neck_head: np.ndarray) -> np.ndarray:
    """(N, 3) points of the symmetric template's head in phq's world, moved by neck and head."""
    neck, head = rotvec_to_rotmat(neck_head.reshape(2, 3))
    joint = template.symmetric_points(("head",))[0]
    return neck @ joint + (template.symmetric_points(names) - joint) @ (neck @ head).T


def dotted(pixel: np.ndarray, side: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """A grey picture with one soft bright dot at `pixel`, and a mask that is a disk round it."""
    grid = np.stack(np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5), -1)
    distance = np.linalg.norm(grid - pixel, axis=-1)
    grey = np.rint(60 + 150 * np.exp(-((distance / (side / 40)) ** 2))).astype(np.uint8)
    return np.repeat(grey[..., None], 3, 2), np.where(distance < side / 6, 255, 0).astype(np.uint8)


def dot(picture: np.ndarray) -> np.ndarray:
    """(2,) pixel of the dot in a picture of `dotted`, of any size."""
    light = np.clip(picture[..., 0].astype(float) - 110, 0, None)
    centres = np.arange(len(light)) + 0.5
    return np.array([(light.sum(0) * centres).sum(), (light.sum(1) * centres).sum()]) / light.sum()


def write_cameras(
    out: Path, views: list[tuple[np.ndarray, np.ndarray]], photos: Path | None = None, turn: int = 0
) -> None:
    """A dataset of these cameras; each crop has a dot where the nose is, and so has its photo, if one is wanted.

    Args:
        turn: degrees by which the photos have been turned to be upright.
    """
    members, rows = {}, []
    for number, (camera, pose) in enumerate(views):
        row, files = _sample(number, camera, pose)
        if photos is not None:
            photo = encoded(np.rot90(decoded(_photo(files["jpg"])), -turn // 90))
            row["photo_turn_deg"] = turn
            (photos / row["source_path"]).write_bytes(photo)
            row["source_sha256"] = hashlib.sha256(photo).hexdigest()
        sample = make_sample({k: v for k, v in row.items() if k not in ("split", *DECIDED)})
        files["json"] = sample_to_json(sample)
        members[row["key"]] = files
        rows.append(row | sample.model_dump())
    write_dataset(out, sorted(rows, key=lambda r: r["key"]), [], lambda r: members[r["key"]], {}, CARD)


CARD = Card("Cameras", "0.0", ())
DECIDED = {"decision": "kept", "reason": "", "detail": "", "score_name": "", "threshold": 0.0, "margin": 0.0,
           "duplicate_of": "", "duplicate_group": "", "scene_group": "", "identity_group": ""}  # fmt: skip
PLACE = np.array([[0.5, 0.0, 20.0], [0.0, 0.5, 10.0]])
"""crop_to_source of every sample of `write_cameras`."""


def labelled(view: View) -> dict[str, Any]:
    """The record of a picture of which nothing but its label is known."""
    person = Person.unmeasured(Photo(Path(), ""))
    person.frame = replace(person.frame, image_size=SIDE)
    label_person(person, view)
    return {name: unmeasured(name) for name in Sample.model_fields} | person.record()


def _sample(number: int, camera: np.ndarray, pose: np.ndarray) -> tuple[dict[str, Any], dict[str, bytes]]:
    crop, mask = dotted(project(head_points(("nose",), pose), camera, SIDE)[0])
    crop[:4, :4] = number  # no two alike
    jpg = encoded(crop, "JPEG", quality=95)
    fields = labelled(View(camera, intrinsics(), pose)) | {
        "schema_version": "phq/1",
        "key": hashlib.sha256(jpg).hexdigest()[:16],
        "source_path": f"{number:03d}.png",
        "image_size": SIDE,
        "crop_to_source": PLACE.ravel().tolist(),
        "photo_in_crop": [0.0, 0.0, float(SIDE), float(SIDE)],
        "phash": "0" * 16,
        "photo_phash": "",
        "phash_mirror": "0" * 16,
    }  # fmt: skip
    row = {**fields, "split": "val" if number % 4 == 3 else "train", **DECIDED}
    return row, {"jpg": jpg, "mask.png": encoded(mask)}


def _photo(jpg: bytes) -> bytes:
    """The crop at half its size, at `PLACE` in a larger picture."""
    photo = np.full((90, 110, 3), 60, np.uint8)
    small = Image.fromarray(decoded(jpg)).resize((SIDE // 2, SIDE // 2), Image.Resampling.BOX)
    photo[10 : 10 + SIDE // 2, 20 : 20 + SIDE // 2] = np.asarray(small)
    return encoded(photo)


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    """A zip of these files."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_folder(path: Path, files: dict[str, bytes]) -> Path:
    """A folder of these files."""
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def index_of(labels: dict[str, Any]) -> bytes:
    """dataset.json."""
    return json.dumps({"labels": [[name, label] for name, label in labels.items()]}).encode()


class UpstreamLoader:
    """What EG3D's ImageFolderDataset does with a set, and what PanoHead, SphereHead and 3DPortraitGAN keep of it."""

    def __init__(self, path: Path) -> None:
        if path.is_dir():
            files = {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}
        else:
            assert path.suffix == ".zip"
            archive = zipfile.ZipFile(path)
            files = {name: archive.read(name) for name in archive.namelist()}
        Image.init()
        self.names = sorted(name for name in files if Path(name).suffix.lower() in Image.EXTENSION)
        labels = dict(json.loads(files["dataset.json"])["labels"])
        self.labels = np.array([labels[name] for name in self.names]).astype(np.float32)
        self.images = [decoded(files[name]) for name in self.names]
        assert len(labels) == len(self.names)
        assert len({image.shape for image in self.images}) == 1
        assert self.images[0].shape[0] == self.images[0].shape[1]
        assert self.labels.ndim == 2

    def stems(self) -> list[str]:
        """How masks are found."""
        return [str(Path(name).with_suffix("")) for name in self.names]
