"""`export_fiftyone`: a dataset as a folder that FiftyOne imports; FiftyOne itself is not needed to write it.

Import it with ``fiftyone.Dataset.from_dir(OUT, dataset_type=fiftyone.types.FiftyOneDataset)``.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from phq.curate.annotate.raw_photos import find_photos
from phq.dataset.embedded import bodies_of
from phq.dataset.item import Item
from phq.dataset.overlays import LATEST, open_overlay
from phq.dataset.reader import Dataset
from phq.dataset.tar import STORAGE
from phq.errors import InputError, OutputError
from phq.exchange import fiftyone_labels as labels
from phq.exchange.fiftyone_schema import metadata_document
from phq.schema import PROVENANCE, Row, column_kind
from phq.system.atomic import atomic_write, output_errors, write_bytes

Document = dict[str, Any]
_ON_CROPS = {
    "person": "Detections", "face": "Detections", "landmarks": "Keypoints", "joints": "Keypoints",
    "direction": "Classification", "mask": "Segmentation",
}  # fmt: skip
_ON_PHOTOS = {
    "people": "Detections", "headshots": "Detections", "face": "Detections", "landmarks": "Keypoints",
    "joints": "Keypoints",
}  # fmt: skip
_LISTS = ("cam2world", "intrinsics", "crop_to_source", "smpl_pose", "smpl_betas", "smpl_transl")
_OF_PHOTO = ("source_path", "source_sha256", "image_width", "image_height", *PROVENANCE)
_TAKEN = ("id", "filepath", "tags", "metadata", "created_at", "last_modified_at", *_ON_CROPS, *_ON_PHOTOS)
_FROM_ARROW = {"string": str, "int64": int, "double": float, "bool": bool}
_DESCRIPTIONS = {name: field.description or "" for name, field in Row.model_fields.items()}


@dataclass(frozen=True)
class ToFiftyOne:
    """What an export wrote."""

    out: Path
    samples: int
    """Pictures."""
    people: int
    missing: int
    """Photos that were not found, and are left out."""


def export_fiftyone(
    dataset: str | Path,
    out: str | Path,
    *,
    photos: str | Path | None = None,
    overlay: str | None = LATEST,
    where: str | None = None,
    quiet: bool = True,
) -> ToFiftyOne:
    """Write ``metadata.json``, ``samples.json`` and the pictures; the same call gives the same bytes.

    Without `photos` a sample is a crop, copied to ``data/``, with every scalar of its record as a field, its mask in
    ``fields/mask/``, the person, the face, the landmarks and the joints of the body that lie in it. With `photos` a
    sample is a photo, referred to where it lies, with all its people, rejected ones with the reason as label, each
    headshot with its mask in ``fields/headshots.detections/``.

    Args:
        dataset: folder or URL. out: a new or empty folder.
        photos: folder of the photos the dataset was built from; they are found by their sha256 and not copied.
        overlay: the state, see `phq.dataset.overlays.names_up_to`.
        where: only samples for which this condition holds, see `phq.dataset.filters.matching`.
        quiet: no progress bar.

    Raises:
        InputError: no dataset or state, nothing in it, or none of its photos below `photos`.
        OutputError: the folder is not empty, or cannot be written.
    """
    opened = Dataset(dataset, overlay=overlay, where=where, rejects=photos is not None)
    folder = _empty(Path(out))
    writer = _PhotoWriter(opened, folder, photos) if photos is not None else _CropWriter(opened, folder)
    people = 0
    with atomic_write(folder / "samples.json") as stream:
        stream.write(b'{"samples": [')
        for number, (document, count) in enumerate(tqdm(writer.documents(), unit="picture", disable=quiet)):
            stream.write((b",\n" if number else b"\n") + json.dumps(document).encode())
            people += count
        stream.write(b"\n]}\n")
    write_bytes(folder / "metadata.json", json.dumps(writer.metadata(), indent=1).encode() + b"\n")
    return ToFiftyOne(folder, writer.count, people, writer.missing)


def _empty(out: Path) -> Path:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"{out} already exists; choose another name (nothing is ever overwritten)")
    with output_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    return out


class _Writer:
    """Pictures of one kind."""

    missing = 0
    count = 0

    def __init__(self, dataset: Dataset, folder: Path) -> None:
        self.dataset = dataset
        self.folder = folder
        self.bodies = bodies_of(dataset)

    def _write(self, name: str, content: bytes) -> str:
        path = self.folder / name
        with output_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return name

    def _document(self, name: str, path: str, size: tuple[int, int], tags: Sequence[str]) -> Document:
        number = labels.object_id(name, "sample")
        width, height = size
        return {
            "_id": number,
            "filepath": path,
            "tags": list(tags),
            "metadata": {"_cls": "ImageMetadata", "width": width, "height": height},
            "_media_type": "image",
            "_rand": int(number["$oid"][:13], 16) / 16**13,
        }

    def _info(self) -> Document:
        run = self.dataset.run
        return {"made by": "phq export fiftyone", "overlays": self.dataset.overlays, "version": run.get("version", "")}


class _CropWriter(_Writer):
    def __init__(self, dataset: Dataset, folder: Path) -> None:
        super().__init__(dataset, folder)
        self.count = len(dataset)
        if not self.count:
            raise InputError(f"{dataset.root.where} has no samples to export")
        self.values = {_free(name): kind for name, kind in _plain_columns(dataset).items()}

    def documents(self) -> Iterator[tuple[Document, int]]:
        for item in self.dataset:
            row = item.row
            view = labels.View(row, photo=False)
            size = int(row["image_size"])
            path = self._write(f"data/{item.key}.jpg", item.read("jpg"))
            mask = self._write(f"fields/mask/{item.key}.png", item.read("mask.png"))
            known = {_free(name): row[name] for name in row if _free(name) in self.values and row[name] is not None}
            yield (
                self._document(item.key, path, (size, size), [row["split"]])
                | known
                | {
                    "person": labels.detections(labels.person(row, view)),
                    "face": labels.detections(*labels.face(row, view)),
                    "landmarks": labels.keypoints(*labels.landmarks(row, view)),
                    "joints": labels.keypoints(*labels.joints(row, view, self.bodies)),
                    "direction": labels.direction(row),
                    "mask": labels.segmentation(row, mask),
                },
                1,
            )

    def metadata(self) -> Document:
        return metadata_document(self.values, _ON_CROPS, _DESCRIPTIONS, self._info())


class _PhotoWriter(_Writer):
    def __init__(self, dataset: Dataset, folder: Path, photos: str | Path) -> None:
        super().__init__(dataset, folder)
        self.people: dict[str, list[int]] = defaultdict(list)
        table = dataset.columns(["source_sha256", "source_path", "box_x0"]).to_pylist()
        for number, row in enumerate(table):
            if row["source_sha256"] and row["box_x0"] is not None:
                self.people[row["source_sha256"]].append(number)
        names = {row["source_sha256"]: row["source_path"] for row in table if row["source_sha256"] in self.people}
        if not names:
            raise InputError(f"{dataset.root.where} has no people to export")
        self.paths = find_photos(photos, names)
        self.count, self.missing = len(self.paths), len(names) - len(self.paths)

    def documents(self) -> Iterator[tuple[Document, int]]:
        for digest, numbers in self.people.items():
            if digest in self.paths:
                yield self._photo(digest, [self.dataset[number] for number in numbers]), len(numbers)

    def _photo(self, digest: str, items: Sequence[Item]) -> Document:
        rows = [item.row for item in items]
        first = rows[0]
        stored = [row for row in rows if row.get("shard")]
        views = {id(row): labels.View(row, photo=True) for row in rows}
        size = (int(first["image_width"]), int(first["image_height"]))
        path = str(self.paths[digest].resolve())
        splits = sorted({row["split"] for row in rows if row["split"]})
        masks = {i.key: self._mask(i) for i, row in zip(items, rows, strict=True) if row.get("shard")}
        facts = {name: first[name] for name in _OF_PHOTO if first[name] is not None}
        return (
            self._document(digest, path, size, splits)
            | facts
            | {
                "people": labels.detections(*(labels.person(row, views[id(row)], **_attributes(row)) for row in rows)),
                "headshots": labels.detections(*(labels.headshot(r, views[id(r)], masks[r["key"]]) for r in stored)),
                "face": labels.detections(*(found for r in stored for found in labels.face(r, views[id(r)]))),
                "landmarks": labels.keypoints(*(found for r in stored for found in labels.landmarks(r, views[id(r)]))),
                "joints": labels.keypoints(
                    *(found for r in stored for found in labels.joints(r, views[id(r)], self.bodies))
                ),
            }
        )

    def _mask(self, item: Item) -> str:
        return self._write(f"fields/headshots.detections/{item.key}.png", item.read("mask.png"))

    def metadata(self) -> Document:
        values = {name: (column_kind(name)[0], False) for name in _OF_PHOTO}
        return metadata_document(values, _ON_PHOTOS, _DESCRIPTIONS, self._info())


def _attributes(row: Mapping[str, Any]) -> Document:
    """Scalars of a person, as attributes of its box."""
    skip = (*STORAGE, *_OF_PHOTO, *_TAKEN, "detection_score", "label", "index")
    return {name: value for name, value in row.items() if name not in skip and not isinstance(value, list | None)}


def _plain_columns(dataset: Dataset) -> dict[str, tuple[type, bool]]:
    """Columns that become fields of a sample: every scalar, and the lists that are cameras and poses."""
    found = {name: (kind, bool(length)) for name in Row.model_fields for kind, length in [column_kind(name)]}
    found = {n: what for n, what in found.items() if n in _LISTS or not (what[1] or n in STORAGE)}
    for overlay in dataset.overlays:
        for field in open_overlay(dataset.root, overlay).schema:
            if field.name not in Row.model_fields:
                found[field.name] = (_FROM_ARROW[str(field.type)], False)
    return found


def _free(name: str) -> str:
    """Name of a field that FiftyOne or a label does not need for itself."""
    return f"{name}_" if name in _TAKEN else name
