"""Duplicates, scenes and faces among the samples that the thresholds keep: the fields that they set in each row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from phq.config.build import Config, Duplicates
from phq.decisions.duplicates import COLUMNS, POINTS, Duplicate, find_duplicates
from phq.decisions.faces import face_groups
from phq.decisions.groups import (
    PROPORTION,
    SCENE_COLUMNS,
    cut_differently,
    duplicate_groups,
    numbered,
    proportions,
    scene_groups,
)
from phq.decisions.signs import NUMBERS as POINT_NUMBERS
from phq.decisions.signs import Signs, upper_landmarks
from phq.decisions.tracks import tracks
from phq.detect.backends.offers import same_face
from phq.detect.face_crop import HALF, packed
from phq.quality.appearance import REGIONS
from phq.schema import BOX, LANDMARKS, Fields, rounded
from phq.system.arrays import Doubles, Singles

FACE = "face"
"""Column with ``face_embedding`` as bytes."""
COMPACT = {PROPORTION: pa.float64(), FACE: pa.large_binary(), POINTS: pa.list_(pa.float32())}
"""Columns that `compact` computes, and their types."""
COMPARED = tuple(dict.fromkeys([*COLUMNS, *SCENE_COLUMNS, "face_network"]))
"""Columns of the record that samples are compared by, beside `COMPACT`."""
_LARGE = ("keypoints_3d", "face_embedding", "keypoints_2d", "crop_to_source", "image_size")
LIKENESS = (*COMPARED, *_LARGE)
"""Columns of the record that `compact` takes."""
_NUMBERS = 6 * len(REGIONS)


def compact(table: pa.Table) -> pa.Table:
    """A table with `PROPORTION` in place of ``keypoints_3d``, one number for ninety-nine (NaN where there are none),
    `FACE` in place of ``face_embedding``, and `POINTS` in place of all landmarks in the photo and the crop's place.

    Args:
        table: `LIKENESS` and any other columns.

    Raises:
        InputError: an embedding cannot be read.
    """
    landmarks = _lists(table["keypoints_3d"], 3 * len(LANDMARKS)).reshape(-1, len(LANDMARKS), 3)
    made = {PROPORTION: pa.array(proportions(landmarks), pa.float64()), FACE: packed(table["face_embedding"])}
    made[POINTS] = _points(table)
    table = table.drop_columns(list(_LARGE))
    for name, column in made.items():
        table = table.append_column(name, column)
    return table


def _points(table: pa.Table) -> pa.Array:
    keypoints, affine = _lists(table["keypoints_2d"], 2 * len(LANDMARKS)), _lists(table["crop_to_source"], 6)
    size = np.asarray(pc.fill_null(table["image_size"], 0), np.float64)
    points = upper_landmarks(keypoints, affine, size)
    ends = np.arange(0, points.size + 1, POINT_NUMBERS, dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(points.ravel(), pa.float32()))


def find_likeness(table: pa.Table, config: Config, existing: int = 0) -> dict[int, Fields]:
    """By row number, the fields that duplicates, scenes and faces set.

    Args:
        table: `COMPARED` and `COMPACT` of the samples that the thresholds keep.
        config: what counts as a duplicate, and what is rejected.
        existing: rows at the start that are in the dataset already: they come before all others.

    Raises:
        ConfigError: the cosine from which two embeddings show one face is not known (see `same_face`).
    """
    found = find_duplicates(table.select([*COLUMNS, POINTS]), config.duplicates.bits, existing)
    keys, paths = table["key"].to_pylist(), table["source_path"].to_pylist()
    alike: dict[int, Fields] = {}
    for row, group in enumerate(duplicate_groups(keys, found)):
        if group:
            alike[row] = {"duplicate_group": group}
    for row, duplicate in found.items():
        alike[row] |= _of_duplicate(keys[row], duplicate, paths[duplicate.kept], config.duplicates)
    for row, group in enumerate(_faces(table, config, existing)):
        if group:
            alike.setdefault(row, {})["identity_group"] = group
    left = [row for row in range(len(table)) if "decision" not in alike.get(row, ())]
    first = sum(row < existing for row in left)
    return _with_scenes(table.take(pa.array(left, pa.int64())), left, alike, config, first)


def _faces(table: pa.Table, config: Config, existing: int) -> list[str]:
    faces, networks, keys = (table[name].to_pylist() for name in (FACE, "face_network", "key"))
    return face_groups(keys, faces, networks, lambda network: same_face(network, config.identity.same), existing)


def _embeddings(table: pa.Table, config: Config) -> tuple[Singles | None, float]:
    """(N, D) embeddings of the network that most samples have one of, NaN for the others, and its threshold."""
    faces, networks = table[FACE].to_pylist(), table["face_network"].to_pylist()
    counts = Counter((network, len(face)) for face, network in zip(faces, networks, strict=True) if face)
    if not counts:
        return None, 1.0
    space = min(counts, key=lambda space: (-counts[space], space))
    pairs = zip(networks, faces, strict=True)
    rows = [row for row, (network, face) in enumerate(pairs) if face and (network, len(face)) == space]
    vectors = np.full((len(faces), space[1] // HALF.itemsize), np.nan, np.float32)
    vectors[rows] = np.frombuffer(b"".join(faces[row] for row in rows), HALF).reshape(len(rows), -1)
    return vectors, same_face(space[0], config.identity.same)


def _with_scenes(
    table: pa.Table, rows: Sequence[int], alike: dict[int, Fields], config: Config, existing: int
) -> dict[int, Fields]:
    """`alike` with the scenes of some of the samples, whose numbers in the whole table are `rows`."""
    columns: dict[str, Any] = {name: table[name].to_pylist() for name in SCENE_COLUMNS if name != "appearance"}
    columns["appearance"] = _lists(table["appearance"], _NUMBERS)
    columns[PROPORTION] = table[PROPORTION].to_numpy()
    looks = columns["appearance"].reshape(-1, len(REGIONS), 6)
    boxes = np.column_stack([table[name].to_numpy() for name in BOX])
    track = tracks(columns["source_path"], boxes, looks, numbered(columns["identity"]))
    keys, groups = columns["key"], scene_groups(columns, *_embeddings(table, config), existing, track)
    for row, key, group in zip(rows, keys, groups, strict=True):
        if group:
            alike.setdefault(row, {}).update(_of_scene(key, group, config.duplicates))
    signs = Signs.of(columns["appearance"], _lists(table[POINTS], POINT_NUMBERS))
    for number, duplicate in cut_differently(columns, groups, signs).items():
        alike[rows[duplicate.kept]]["duplicate_group"] = duplicate.key
        path = columns["source_path"][duplicate.kept]
        fields = _of_duplicate(keys[number], duplicate, path, config.duplicates)
        alike[rows[number]] |= fields | {"duplicate_group": duplicate.key}
    return alike


def _of_duplicate(key: str, duplicate: Duplicate, path: str, config: Duplicates) -> Fields:
    """Fields of a sample that looks like a better one, whose photo is at `path`.

    The very same image again is always rejected: a key can be stored only once.
    """
    if not (duplicate.exact or key == duplicate.key or config.reject):
        return {"duplicate_of": duplicate.key}
    limit = max(config.bits, duplicate.distance) + 1  # the least distance that is kept
    return {
        "duplicate_of": duplicate.key,
        "decision": "rejected",
        "reason": "exact_duplicate" if duplicate.exact else "duplicate",
        "detail": f"{duplicate.distance} bits from {duplicate.key} of {path}",
        "score_name": "phash",
        "threshold": float(limit),
        "margin": rounded("margin", min(duplicate.distance / limit, 1.0) - 1.0),
    }


def _of_scene(key: str, group: str, config: Duplicates) -> Fields:
    """Fields of a sample of a scene whose best sample is `group`."""
    if not config.scene or key == group:
        return {"scene_group": group}
    return {
        "scene_group": group,
        "decision": "rejected",
        "reason": "same_scene",
        "detail": f"the same person in the same scene as {group}, which is better",
        "score_name": "",
        "threshold": 0.0,
        "margin": 0.0,
    }


def _lists(column: pa.ChunkedArray, length: int) -> Doubles:
    """(N, length) of a column of lists, zeros where there is none."""
    values = np.zeros((len(column), length))
    values[np.asarray(pc.is_valid(column))] = np.asarray(pc.list_flatten(column)).reshape(-1, length)
    return values
