"""`export_crops`: what another program needs in order to look at a dataset's people in the raw photos."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from phq.curate.annotate.raw_photos import find_photos, video_settings
from phq.curate.predictions.conventions import PROGRAMS
from phq.curate.predictions.matches import HEAD
from phq.dataset.overlays import LATEST
from phq.dataset.reader import Dataset
from phq.errors import ConfigError, InputError
from phq.photos.turn import from_turned
from phq.schema import BOX
from phq.system.arrays import Doubles
from phq.system.atomic import disk_errors_explained, write_bytes

COLUMNS = (
    "key", "source_path", "source_sha256", "image_width", "image_height", "photo_turn_deg", "focal_px", "image_size",
    "crop_to_source", *BOX,
)  # fmt: skip
OPENING = b'{"key": '


@dataclass(frozen=True)
class CropsList:
    """Counts of an export."""

    out: Path
    people: int
    missing: int
    """Whose photo was not found, and who are left out."""


@disk_errors_explained
def export_crops(
    dataset: str | Path,
    out: Path,
    program: str,
    *,
    photos: str | Path | None = None,
    revision: str | None = LATEST,
    where: str | None = None,
) -> CropsList:
    """Write a JSON object a line for each person: key, photo, sha256, box, centre and size of its square, size of the
    photo, focal length. The box is the head's for a program of head poses, otherwise the person's; all in pixels of the
    upright photo.

    Args:
        dataset: folder or URL.
        out: file to write.
        program: name of `phq.curate.predictions.conventions.PROGRAMS`.
        photos: folder, list or glob of the photos, found by sha256; then paths are absolute.
        revision: of the labels.
        where: only samples for which this condition holds.

    Raises:
        ConfigError: an unknown program, or a file that phq did not write.
        InputError: no samples, or photos inside other files.
    """
    if program not in PROGRAMS:
        raise ConfigError(f"--for {program!r}: there are {', '.join(PROGRAMS)}")
    if out.exists() and not (out.is_file() and out.read_bytes()[: len(OPENING)] == OPENING):
        raise ConfigError(f"{out} is not a list of phq and would be replaced; choose another name")
    opened = Dataset(dataset, revision=revision, where=where)
    rows = opened.columns(COLUMNS).to_pylist()
    if not rows:
        raise InputError(f"{dataset} has no samples to export")
    paths = _paths(opened, rows, photos)
    lines = [json.dumps(line, ensure_ascii=False) + "\n" for line in _lines(rows, paths, program)]
    write_bytes(out, "".join(lines).encode())
    return CropsList(out, len(lines), len(rows) - len(lines))


def _paths(opened: Dataset, rows: list[dict[str, Any]], photos: str | Path | None) -> dict[str, str]:
    """Path of each photo by sha256."""
    names = {row["source_sha256"]: row["source_path"] for row in rows}
    if photos is None:
        return names
    found = find_photos(photos, names, video_settings(opened.run))
    inside = [photo.name for photo in found.values() if photo.entry is not None]
    if inside:
        raise InputError(f"{len(inside)} photos are inside other files, such as {inside[0]}: unpack them")
    return {digest: str(photo.path.resolve()) for digest, photo in found.items()}


def _lines(rows: list[dict[str, Any]], paths: dict[str, str], program: str) -> Iterator[dict[str, Any]]:
    head = "headpose" in PROGRAMS[program].kinds and program != "phq"
    for row in rows:
        if row["source_sha256"] not in paths:
            continue
        box = _in_file(row, _head(row) if head else np.array([row[name] for name in BOX]))
        size = row["image_width"], row["image_height"]
        yield {
            "key": row["key"],
            "photo": paths[row["source_sha256"]],
            "sha256": row["source_sha256"],
            "box": np.round(box, 2).tolist(),
            "box_center": np.round((box[:2] + box[2:]) / 2, 2).tolist(),
            "box_size": round(float((box[2:] - box[:2]).max()), 2),
            "image_size": list(size[::-1] if row["photo_turn_deg"] % 180 else size),
            "focal_px": round(row["focal_px"], 3),
        }


def _head(row: dict[str, Any]) -> Doubles:
    affine = np.reshape(row["crop_to_source"], (2, 3))
    return np.asarray((np.reshape(HEAD, (2, 2)) * row["image_size"] * affine[0, 0] + affine[:, 2]).ravel())


def _in_file(row: dict[str, Any], box: Doubles) -> Doubles:
    """A box in pixels of the upright photo, as its file has it."""
    corners = from_turned(box.reshape(2, 2), row["photo_turn_deg"], row["image_width"], row["image_height"])
    return np.concatenate([corners.min(0), corners.max(0)])
