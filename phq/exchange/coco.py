"""`export_coco`: a dataset as COCO annotations, which FiftyOne, CVAT, Label Studio and pycocotools read.

Layout and fields are those of https://cocodataset.org/#format-data: boxes as left, top, width, height in pixels of the
image, keypoints as x, y, v (0: not labelled, 1: not visible, 2: visible), masks as run lengths down the columns.
FiftyOne imports the folder as a ``fiftyone.types.COCODetectionDataset``.
"""

from __future__ import annotations

import io
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.compute as pc
from PIL import Image as Pil

from phq.curate.annotate.raw_photos import find_photos, video_settings
from phq.dataset.card import YAW_SECTORS
from phq.dataset.embedded import bodies_of
from phq.dataset.item import Item
from phq.dataset.overlays import LATEST
from phq.dataset.reader import Dataset
from phq.dataset.tar import STORAGE
from phq.errors import InputError
from phq.photos.discover import Found
from phq.photos.region import apply_affine
from phq.photos.turn import from_turned
from phq.pose.body import load_body
from phq.pose.render import project
from phq.schema import BOX, LANDMARKS, PROVENANCE, SMPL_JOINTS
from phq.system.arrays import Bools, Doubles, Floats
from phq.system.atomic import atomic_write, disk_errors_explained, output_errors
from phq.system.bars import bar
from phq.system.publish import published
from phq.system.sizes import say_size

Document = dict[str, Any]
PERSON, FACE, HEADSHOT = 1, 2, 3
"""Numbers of the categories."""
VISIBLE = 0.5
"""Visibility from which a landmark counts as visible."""
_LIMBS = (
    (11, 12), (11, 13), (13, 15), (15, 17), (15, 19), (15, 21), (17, 19), (12, 14), (14, 16), (16, 18), (16, 20),
    (16, 22), (18, 20), (11, 23), (12, 24), (23, 24), (23, 25), (24, 26), (25, 27), (26, 28), (27, 29), (28, 30),
    (29, 31), (30, 32), (27, 31), (28, 32),
)  # fmt: skip
_HEAD = ((0, 1), (1, 2), (2, 3), (3, 7), (0, 4), (4, 5), (5, 6), (6, 8), (9, 10))
"""BlazePose's connections (Bazarevsky et al. 2020, figure 4); numbers of `phq.schema.LANDMARKS`."""
_LISTS = ("cam2world", "intrinsics", "crop_to_source", "smpl_pose", "smpl_betas", "smpl_transl")
_PHOTO_FIELDS = ("source_path", "source_sha256", *PROVENANCE)
_RESERVED = (
    "id", "image_id", "category_id", "bbox", "area", "segmentation", "iscrowd", "keypoints", "num_keypoints", "score",
    "label", "tags", "confidence", "index", "mask", "bounding_box",
)  # fmt: skip
"""Names that COCO or FiftyOne give a meaning of their own; an attribute of such a name gets a ``_`` at its end."""


@dataclass(frozen=True)
class CocoExport:
    """Counts of an export."""

    out: Path
    pictures: int
    people: int
    missing: int
    """Photos that were not found, and are left out."""
    degenerate: int = 0
    """Boxes without an area inside the picture, which are left out: COCO's readers divide by it."""


@disk_errors_explained
def export_coco(
    dataset: str | Path,
    out: str | Path,
    *,
    photos: str | Path | None = None,
    revision: str | None = LATEST,
    where: str | None = None,
    quiet: bool = True,
) -> CocoExport:
    """Write ``labels.json`` and, without `photos`, the crops; the same call gives the same bytes.

    Without `photos` an image is a crop, copied to ``data/``. With `photos` an image is a photo, named by its path, with
    all its people (the rejected ones too) and the square of each stored headshot. A person has its mask (as far as the
    headshot goes), 33 landmarks, 24 joints of the fitted body, and the scalars and cameras of the record as attributes;
    a face has its box.

    Args:
        dataset: folder or URL.
        out: a new or empty folder.
        photos: folder of the photos of the dataset; they are found by their sha256 and not copied.
        revision: see `phq.dataset.overlays.names_up_to`.
        where: only samples that meet this condition, see `phq.dataset.filters.matching`.
        quiet: no progress bar.

    Raises:
        InputError: no dataset or revision, nothing in it, or none of its photos below `photos`.
        OutputError: the folder is not empty, or cannot be written.
    """
    opened = Dataset(dataset, revision=revision, where=where, rejects=photos is not None)
    folder = Path(out)
    with published(folder) as (staged,):
        if photos is None:
            say_size(f"writing to {out}", pc.sum(opened.columns(["jpg_size"])["jpg_size"]).as_py() or 0, quiet)
        groups = _crops(opened, staged) if photos is None else _photos(opened, photos)
        counted = _write_labels(staged / "labels.json", opened, groups, photos is not None, quiet)
    return replace(counted, out=folder)


def _write_labels(path: Path, opened: Dataset, groups: _Groups, photo: bool, quiet: bool) -> CocoExport:
    """Write the document as the images come; its counts."""
    images: list[Document] = []
    annotations = people = 0
    annotate = _Annotations(opened, photo)
    with atomic_write(path) as stream:
        head = json.dumps({"info": _info(opened), "licenses": [], "categories": _categories()})
        stream.write(head[:-1].encode() + b', "annotations": [')
        for image, items in bar(groups.images, total=groups.count, unit="picture", desc="export", quiet=quiet):
            images.append({"id": len(images) + 1} | image)
            for annotation in annotate(items):
                annotations += 1
                people += annotation["category_id"] == PERSON
                numbered = {"id": annotations, "image_id": len(images)} | annotation
                stream.write((b",\n" if annotations > 1 else b"\n") + json.dumps(numbered).encode())
        stream.write(b'\n], "images": ' + json.dumps(images).encode() + b"}\n")
    return CocoExport(path, len(images), people, groups.missing, annotate.degenerate)


@dataclass(frozen=True)
class _Groups:
    """Images with the people in each."""

    images: Iterator[tuple[Document, Sequence[Item]]]
    count: int
    missing: int = 0


def _crops(dataset: Dataset, folder: Path) -> _Groups:
    if not len(dataset):
        raise InputError(f"{dataset.root.where} has no samples to export")

    def images() -> Iterator[tuple[Document, Sequence[Item]]]:
        for item in dataset:
            path = folder / "data" / f"{item.key}.jpg"
            with output_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(item.read("jpg"))
            size = int(item.row["image_size"])
            yield {"file_name": path.name, "width": size, "height": size}, [item]

    return _Groups(images(), len(dataset))


def _photos(dataset: Dataset, photos: str | Path) -> _Groups:
    people: dict[str, list[int]] = defaultdict(list)
    table = dataset.columns(["source_sha256", "source_path", "box_x0"]).to_pylist()
    for number, row in enumerate(table):
        if row["source_sha256"] and row["box_x0"] is not None:
            people[row["source_sha256"]].append(number)
    names = {row["source_sha256"]: row["source_path"] for row in table if row["source_sha256"] in people}
    if not names:
        raise InputError(f"{dataset.root.where} has no people to export")
    paths = _plain_files(find_photos(photos, names, video_settings(dataset.run)))

    def images() -> Iterator[tuple[Document, Sequence[Item]]]:
        for digest, numbers in people.items():
            if digest in paths:
                items = [dataset[number] for number in numbers]
                row = items[0].row
                size = dict(zip(("width", "height"), _file_size(row), strict=True))
                facts = {name: row[name] for name in _PHOTO_FIELDS if row[name] is not None}
                yield {"file_name": str(paths[digest].resolve())} | size | facts, items

    return _Groups(images(), len(paths), len(names) - len(paths))


def _plain_files(found: Mapping[str, Found]) -> dict[str, Path]:
    """Paths by sha256.

    Raises:
        InputError: photos are inside archives, tables or videos, where no other program would look for them.
    """
    inside = [photo.name for photo in found.values() if photo.entry is not None]
    if inside:
        raise InputError(
            f"{len(inside)} photos are inside other files, such as {inside[0]}, and COCO names files: unpack them, or "
            "export the stored crops"
        )
    return {digest: photo.path for digest, photo in found.items()}


class _Annotations:
    """Annotations of the people of one image.

    Args:
        dataset: where they are from.
        photo: the image is the photo, not the stored crop.
    """

    def __init__(self, dataset: Dataset, photo: bool) -> None:
        self.bodies = bodies_of(dataset)
        self.photo = photo
        self.degenerate = 0
        """Boxes that were left out so far."""

    def __call__(self, items: Sequence[Item]) -> Iterator[Document]:
        for item in items:
            for annotation in self._of(item):
                if min(annotation["bbox"][2:]) > 0:
                    yield annotation
                else:
                    self.degenerate += 1

    def _of(self, item: Item) -> Iterator[Document]:
        row = item.row
        yield self._person(row, item)
        if row.get("shard") and row["face_found"]:
            yield _box(FACE, self._from_crop(row, row["face_box"]), self._size(row)) | {
                "score": row["face_score"],
                "key": row["key"],
            }
        if row.get("shard") and self.photo:
            square = [0, 0, row["image_size"], row["image_size"]]
            yield _box(HEADSHOT, self._from_crop(row, square)) | {
                "key": row["key"]
            }  # reaches beyond the photo as it is

    def _person(self, row: Mapping[str, Any], item: Item) -> Document:
        corners = self._from_photo(row, [row[name] for name in BOX])
        found = _box(PERSON, corners, self._size(row)) | _attributes(row)
        if row.get("detection_score") is not None:
            found["score"] = row["detection_score"]
        if not row.get("shard"):
            return found
        points = np.concatenate([self._landmarks(row), self._joints(row)])
        runs = self._mask(row, item.read("mask.png"))
        if any(runs["counts"][1::2]):  # an empty mask says nothing, and an area of 0 is divided by
            found |= {"segmentation": runs, "area": sum(runs["counts"][1::2])}
        found |= {"keypoints": _rounded(points), "num_keypoints": int(np.count_nonzero(points[:, 2]))}
        sector = int((row["camera_yaw_deg"] + 202.5) // 45) % 8
        return found | {"direction": YAW_SECTORS[sector][1]}

    def _size(self, row: Mapping[str, Any]) -> tuple[float, float]:
        """Width and height of the image, pixels."""
        return _file_size(row) if self.photo else (row["image_size"], row["image_size"])

    def _landmarks(self, row: Mapping[str, Any]) -> Doubles:
        """(33, 3); all 0 if no network has looked."""
        seen = np.array(row["keypoints_visibility"])
        points = self._from_photo(row, row["keypoints_2d"])
        return np.column_stack([points, 1 + (seen >= VISIBLE)]) * bool(seen.any())

    def _joints(self, row: Mapping[str, Any]) -> Doubles:
        """(24, 3) joints of the fitted body; of the embedded one if the file of the record's body is not there."""
        if not row["body_model"] or (drawn := self.bodies.drawn(row)) is None:
            return np.zeros((len(SMPL_JOINTS), 3))
        in_crop = project(drawn.joints, np.reshape(row["intrinsics"], (3, 3))) * row["image_size"]
        points = np.column_stack([self._from_crop(row, in_crop), 1 + np.array(row["pose_observed"], float)])
        return np.where(np.isfinite(points).all(1, keepdims=True), points, 0.0)

    def _mask(self, row: Mapping[str, Any], png: bytes) -> Document:
        mask = np.asarray(Pil.open(io.BytesIO(png)).convert("L"))
        if self.photo:
            affine = np.reshape(row["crop_to_source"], (2, 3)).astype(float)
            affine[:, 2] += affine[:, :2] @ [0.5, 0.5] - 0.5  # OpenCV's pixels have their centres at whole numbers
            size = row["image_width"], row["image_height"]
            mask = cv2.warpAffine(mask, affine, size, flags=cv2.INTER_LINEAR)
            mask = np.rot90(mask, -_turn(row) // 90)
        return run_lengths(mask > 127)

    def _from_photo(self, row: Mapping[str, Any], points: Any) -> Doubles:
        """(n, 2) photo pixels to pixels of the image."""
        flat = np.reshape(np.asarray(points, float), (-1, 2))
        if self.photo:
            return _in_file(row, flat)
        affine = np.reshape(row["crop_to_source"], (2, 3))
        return np.asarray((flat - affine[:, 2]) @ np.linalg.inv(affine[:, :2]).T)

    def _from_crop(self, row: Mapping[str, Any], points: Any) -> Doubles:
        """(n, 2) crop pixels to pixels of the image."""
        flat = np.reshape(np.asarray(points, float), (-1, 2))
        affine = np.reshape(row["crop_to_source"], (2, 3))
        return _in_file(row, apply_affine(affine, flat)) if self.photo else np.asarray(flat)


def _turn(row: Mapping[str, Any]) -> int:
    """Degrees that the photo was turned by; unknown of one that was rejected early, and then 0."""
    return row.get("photo_turn_deg") or 0


def _file_size(row: Mapping[str, Any]) -> tuple[int, int]:
    """Width and height of the file as a viewer shows it, pixels."""
    size = row["image_width"], row["image_height"]
    return size if _turn(row) % 180 == 0 else size[::-1]


def _in_file(row: Mapping[str, Any], points: Floats) -> Doubles:
    """(n, 2) photo pixels of the record to pixels of the file as a viewer shows it."""
    back = from_turned(points, _turn(row), row["image_width"], row["image_height"])
    return np.asarray(back, np.float64)


def run_lengths(mask: Bools) -> Document:
    """COCO's uncompressed run lengths of a mask.

    Args:
        mask: (H, W) bool.

    Returns:
        ``size`` (H, W) and ``counts``: lengths of the runs of 0, 1, 0, 1, … down the columns, the first may be 0.
    """
    flat = np.asarray(mask, bool).ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *edges, flat.size]).tolist()
    return {"size": list(mask.shape), "counts": [0, *counts] if flat[:1].any() else counts}


def _box(category: int, corners: Doubles, size: tuple[float, float] | None = None) -> Document:
    """A box, or the part of it inside the picture; its area is that of the numbers that are written.

    Args:
        category: its number.
        corners: (n, 2) points, pixels; those that are not numbers count as 0.
        size: width and height of the picture, pixels; without, the box stays whole.
    """
    inside = np.nan_to_num(corners) if size is None else np.clip(np.nan_to_num(corners), 0, size)
    low, high = inside.min(0), inside.max(0)
    left, top, width, height = _rounded([*low, *(high - low)])
    area = round(width * height, 2)
    return {"category_id": category, "bbox": [left, top, width, height], "area": area, "iscrowd": 0}


def _rounded(values: Any) -> list[float]:
    return [round(float(value), 2) + 0.0 for value in np.ravel(values)]


def _attributes(row: Mapping[str, Any]) -> Document:
    """Scalars, cameras and poses of a record."""
    kept = {name: value for name, value in row.items() if value is not None and name not in STORAGE}
    plain = {name: value for name, value in kept.items() if name in _LISTS or not isinstance(value, list)}
    return {f"{name}_" if name in _RESERVED else name: value for name, value in plain.items()}


def _categories() -> list[Document]:
    parents = load_body().parents[: len(SMPL_JOINTS)]
    bones = [(parent + len(LANDMARKS), joint + len(LANDMARKS)) for joint, parent in enumerate(parents) if parent >= 0]
    edges = [[start + 1, end + 1] for start, end in (*_HEAD, *_LIMBS, *bones)]  # COCO counts from 1
    names = [*LANDMARKS, *(f"body_{joint}" for joint in SMPL_JOINTS)]
    person = {"id": PERSON, "name": "person", "supercategory": "person", "keypoints": names, "skeleton": edges}
    others = ((FACE, "face"), (HEADSHOT, "headshot"))
    return [person, *({"id": number, "name": name, "supercategory": "person"} for number, name in others)]


def _info(dataset: Dataset) -> Document:
    version = dataset.run.get("version", "")
    return {"description": "phq export coco", "version": version, "overlays": dataset.overlays}
