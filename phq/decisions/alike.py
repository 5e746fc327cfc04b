"""Duplicates and scenes among the samples that the thresholds keep: what they change in each row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from phq.config.build import Config
from phq.decisions.duplicates import COLUMNS, find_duplicates
from phq.decisions.faces import face_groups
from phq.decisions.groups import (
    PROPORTION,
    SCENE_COLUMNS,
    cut_differently,
    duplicate_groups,
    proportions,
    scene_groups,
)
from phq.decisions.verdicts import alike_verdict, scene_verdict
from phq.detect.backends.offers import same_face
from phq.detect.face_crop import HALF, packed
from phq.quality.appearance import REGIONS
from phq.schema import LANDMARKS

Fields = dict[str, Any]
FACE = "face"
"""Column with ``face_embedding`` as bytes."""
COMPACT = {PROPORTION: pa.float64(), FACE: pa.large_binary()}
"""Columns that `compacted` makes, and their types."""
LIKENESS = tuple(dict.fromkeys([*COLUMNS, *SCENE_COLUMNS, "face_network"]))
"""Columns of the record that likeness is seen by, beside `COMPACT`."""
STORED = (*LIKENESS, "keypoints_3d", "face_embedding")
"""Columns that `compacted` makes them of."""
_NUMBERS = 6 * len(REGIONS)


def compacted(table: pa.Table) -> pa.Table:
    """A table with `PROPORTION` in place of ``keypoints_3d``, one number for ninety-nine (NaN where there are none),
    and `FACE` in place of ``face_embedding``.

    Raises:
        InputError: an embedding cannot be read.
    """
    landmarks = _lists(table["keypoints_3d"], 3 * len(LANDMARKS)).reshape(-1, len(LANDMARKS), 3)
    made = {PROPORTION: pa.array(proportions(landmarks), pa.float64()), FACE: packed(table["face_embedding"])}
    table = table.drop_columns(["keypoints_3d", "face_embedding"])
    for name, column in made.items():
        table = table.append_column(name, column)
    return table


def find_alike(table: pa.Table, config: Config, settled: int = 0) -> dict[int, Fields]:
    """By row number, the fields that duplicates, scenes and faces set.

    Args:
        table: `LIKENESS` and `COMPACT` of the samples that the thresholds keep.
        settled: the first so many rows stand already: they come before all others.

    Raises:
        ConfigError: nobody knows from which cosine on two embeddings show one face (see `same_face`).
    """
    found = find_duplicates(table.select(COLUMNS), config.duplicates.bits, settled)
    keys, paths = table["key"].to_pylist(), table["source_path"].to_pylist()
    alike: dict[int, Fields] = {}
    for row, group in enumerate(duplicate_groups(keys, found)):
        if group:
            alike[row] = {"duplicate_group": group}
    for row, duplicate in found.items():
        alike[row] |= alike_verdict(keys[row], duplicate, paths[duplicate.kept], config.duplicates)
    for row, group in enumerate(_faces(table, config, settled)):
        if group:
            alike.setdefault(row, {})["identity_group"] = group
    left = [row for row in range(len(table)) if "decision" not in alike.get(row, ())]
    stand = sum(row < settled for row in left)
    return _with_scenes(table.take(pa.array(left, pa.int64())), left, alike, config, stand)


def _faces(table: pa.Table, config: Config, settled: int) -> list[str]:
    faces, networks, keys = (table[name].to_pylist() for name in (FACE, "face_network", "key"))
    return face_groups(keys, faces, networks, lambda network: same_face(network, config.identity.same), settled)


def _embeddings(table: pa.Table, config: Config) -> tuple[NDArray[np.float32] | None, float]:
    """(N, D) embeddings of the network that most samples have one of, NaN for the others, and its least cosine."""
    faces, networks = table[FACE].to_pylist(), table["face_network"].to_pylist()
    counts = Counter((network, len(face)) for face, network in zip(faces, networks, strict=True) if face)
    if not counts:
        return None, 1.0
    space = min(counts, key=lambda found: (-counts[found], found))
    pairs = zip(networks, faces, strict=True)
    rows = [row for row, (network, face) in enumerate(pairs) if face and (network, len(face)) == space]
    vectors = np.full((len(faces), space[1] // HALF.itemsize), np.nan, np.float32)
    vectors[rows] = np.frombuffer(b"".join(faces[row] for row in rows), HALF).reshape(len(rows), -1)
    return vectors, same_face(space[0], config.identity.same)


def _with_scenes(
    table: pa.Table,
    rows: Sequence[int],
    alike: dict[int, Fields],
    config: Config,
    settled: int,
) -> dict[int, Fields]:
    """`alike`, with what the scenes of a part of the samples say; `rows` are their numbers in the whole."""
    columns: dict[str, Any] = {name: table[name].to_pylist() for name in SCENE_COLUMNS if name != "appearance"}
    columns["appearance"] = _lists(table["appearance"], _NUMBERS)
    columns[PROPORTION] = table[PROPORTION].to_numpy()
    keys, groups = columns["key"], scene_groups(columns, *_embeddings(table, config), settled)
    for row, key, group in zip(rows, keys, groups, strict=True):
        if group:
            alike.setdefault(row, {}).update(scene_verdict(key, group, config.duplicates))
    for place, duplicate in cut_differently(columns, groups).items():
        alike[rows[duplicate.kept]]["duplicate_group"] = duplicate.key
        path = columns["source_path"][duplicate.kept]
        said = alike_verdict(keys[place], duplicate, path, config.duplicates)
        alike[rows[place]] |= said | {"duplicate_group": duplicate.key}
    return alike


def _lists(column: pa.ChunkedArray, length: int) -> NDArray[np.float64]:
    """(N, length) of a column of lists; zeros, which say nothing, where there is none."""
    found = np.zeros((len(column), length))
    there = np.asarray(pc.is_valid(column))
    found[there] = np.asarray(pc.list_flatten(column)).reshape(-1, length)
    return found
