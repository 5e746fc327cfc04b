"""Headshots whose yaw is known within a tolerance: the list of them, and the annotated person that each is of.

The file is JSON, ``{"records": [{…}, …]}``, with one record a headshot (`Headshot`). A headshot is cut at its person's
chest, with the person in the middle; others may stand around.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from phq.dataset.reader import Dataset
from phq.dataset.whole_columns import columns
from phq.detect.boxes import area, intersection
from phq.errors import InputError

CHEST = (1 / 3, 1 / 2, 2 / 3, 1.0)
"""Where the chest of a headshot's person is: x0, y0, x1, y1 as shares of the picture's width and height."""
CHEST_SHARE = 0.75
"""Least share of `CHEST` that the box of its person covers."""
PICTURE_SHARE = 0.2
"""Least share of the picture that the box of its person covers."""
EDGES = ("box_x0", "box_y0", "box_x1", "box_y1")
COLUMNS = (
    "key", "source_path", "image_width", "image_height", *EDGES, "camera_yaw_deg", "head_yaw_deg", "p_flip",
    "yaw_sigma_deg", "decision", "reason",
)  # fmt: skip

Yaw = Annotated[float, Field(ge=-360, le=360)]
Tolerance = Annotated[float, Field(ge=0, le=180)]
Elevation = Annotated[float, Field(ge=-90, le=90)]


class Headshot(BaseModel):
    """One record. Other keys than these are ignored; those without a default must be there, null where unknown."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    set: str
    file: Annotated[str, Field(min_length=1)]
    """Path with slashes, of which the end is enough, or more than the dataset's own path of the photo."""
    torso_yaw_deg: Yaw | None
    """0: faces the camera; positive: the camera stands on the subject's left; ± 180: from behind."""
    head_yaw_deg: Yaw | None
    torso_tol_deg: Tolerance | None
    """By how much the true yaw itself may be off; null is 0."""
    head_tol_deg: Tolerance | None
    camera_elevation_deg: Elevation | None
    """Positive: the camera looks down."""
    person: str | None = None
    group: str | None = None
    """Pictures of one instant."""
    note: str | None = None


def read_headshots(path: Path) -> list[Headshot]:
    """The records of a file, in its order.

    Raises:
        InputError: not such a file, or a record cannot be used; the message names it.
    """
    try:
        records = json.loads(path.read_text(encoding="utf-8"))["records"]
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f'{path} is not JSON with "records" in it: {error}') from error
    if not isinstance(records, list) or not records:
        raise InputError(f'{path}: "records" is not a list with a record in it')
    return [_headshot(path, number, record) for number, record in enumerate(records)]


def _headshot(path: Path, number: int, record: Any) -> Headshot:
    try:
        return Headshot.model_validate(record)
    except ValidationError as error:
        name = record.get("file") if isinstance(record, dict) else None
        faults = "; ".join(f"{'.'.join(map(str, fault['loc'][:1]))}: {fault['msg']}" for fault in error.errors())
        raise InputError(f"{path}: record {number} ({name or 'no file'}): {faults}") from error


def candidates(dataset: Path) -> dict[str, list[dict[str, Any]]]:
    """Rows of `COLUMNS` by photo, kept and rejected ones, with the decisions in force.

    A photo in which nobody was found has a row without box.

    Raises:
        InputError: see `phq.dataset.reader.Dataset`.
    """
    by_photo = defaultdict(list)
    for row in columns(Dataset(dataset, rejects=True), COLUMNS).to_pylist():
        by_photo[row["source_path"].replace("\\", "/")].append(row)
    return by_photo


def photos_of(headshots: Sequence[Headshot], photos: Sequence[str]) -> list[str]:
    """The dataset's path of each headshot.

    Args:
        headshots: of the truth.
        photos: paths of the dataset, with slashes.

    Raises:
        InputError: the dataset has no such photo or several, or two headshots are the same one.
    """
    by_name = defaultdict(list)
    for photo in photos:
        by_name[photo.rsplit("/", 1)[-1]].append(photo)
    chosen: dict[str, str] = {}
    for headshot in headshots:
        photo = _photo_of(headshot.file, by_name[headshot.file.rsplit("/", 1)[-1]])
        if photo in chosen:
            raise InputError(f"the records {chosen[photo]} and {headshot.file} are both of the photo {photo}")
        chosen[photo] = headshot.file
    return list(chosen)


def _photo_of(file: str, photos: list[str]) -> str:
    found = [photo for photo in photos if photo == file] or [
        photo for photo in photos if f"/{photo}".endswith(f"/{file}") or f"/{file}".endswith(f"/{photo}")
    ]
    if len(found) != 1:
        which = f"several photos: {', '.join(sorted(found))}" if found else "no such photo"
        raise InputError(f"record {file}: the dataset has {which}")
    return found[0]


def subject(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The row of the person whom a headshot is of, None if that person was not found.

    Candidates are ordered by `centrality`. The first one is the subject if its box covers `CHEST_SHARE` of
    `CHEST` and `PICTURE_SHARE` of the picture; otherwise it is somebody or something else.
    """
    boxed = [row for row in rows if row["box_x0"] is not None]
    best = max(boxed, key=centrality, default=None)
    return best if best is not None and _is_main(_box(best)) else None


def centrality(row: Mapping[str, Any]) -> float:
    """Share of the picture that the box covers, less 1.5 of its centre's distance from the middle across and 0.3 down.

    A headshot is cut around its person across, and down by the place of the chest: distance across says more.
    """
    box = _box(row)
    across, down = np.abs((box[:2] + box[2:]) / 2 - 0.5)
    return float(area(box) - 1.5 * across - 0.3 * down)


def _box(row: Mapping[str, Any]) -> Any:
    width, height = row["image_width"], row["image_height"]
    return np.array([row[edge] for edge in EDGES], float) / (width, height, width, height)


def _is_main(box: Any) -> bool:
    chest = np.array(CHEST)
    held = float(intersection(box[None], chest[None])[0, 0] / area(chest))
    return held >= CHEST_SHARE and float(area(box)) >= PICTURE_SHARE


def subjects(
    dataset: Path, truth: Path
) -> Iterator[tuple[Headshot, Mapping[str, Any] | None, Sequence[Mapping[str, Any]]]]:
    """(headshot, row of its person or None, rows of its photo) for every record of a file.

    Raises:
        InputError: see `read_headshots`, `candidates` and `photos_of`.
    """
    headshots, by_photo = read_headshots(truth), candidates(dataset)
    for headshot, photo in zip(headshots, photos_of(headshots, list(by_photo)), strict=True):
        yield headshot, subject(by_photo[photo]), by_photo[photo]
