"""Duplicates and scenes among the samples that the thresholds keep: what they change in each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from phq.config import Duplicates
from phq.quality.appearance import REGIONS
from phq.quality.duplicates import COLUMNS, find_duplicates
from phq.quality.groups import (
    PROPORTION,
    SCENE_COLUMNS,
    cut_differently,
    duplicate_groups,
    proportions,
    scene_groups,
)
from phq.quality.verdicts import alike_verdict, scene_verdict
from phq.schema import LANDMARKS

Fields = dict[str, Any]
LIKENESS = tuple(dict.fromkeys([*COLUMNS, *SCENE_COLUMNS]))
"""Columns of the record that likeness is seen by, beside `PROPORTION`."""
STORED = (*LIKENESS, "keypoints_3d")
"""Columns that `with_proportion` makes them of."""
_NUMBERS = 6 * len(REGIONS)


def with_proportion(table: pa.Table) -> pa.Table:
    """A table with `PROPORTION` in place of ``keypoints_3d``: one number for ninety-nine; NaN where there are none."""
    landmarks = _lists(table["keypoints_3d"], 3 * len(LANDMARKS)).reshape(-1, len(LANDMARKS), 3)
    column = pa.array(proportions(landmarks), pa.float64())
    return table.drop_columns(["keypoints_3d"]).append_column(PROPORTION, column)


def find_alike(
    table: pa.Table, config: Duplicates, settled: int = 0, faces: NDArray[np.float64] | None = None
) -> dict[int, Fields]:
    """By row number, the fields that duplicates and scenes set.

    Args:
        table: `LIKENESS` and `PROPORTION` of the samples that the thresholds keep.
        settled: the first so many rows stand already: they come before all others.
        faces: (N, D) face embeddings of the rows, NaN where there is none.
    """
    found = find_duplicates(table.select(COLUMNS), config.bits, settled)
    keys, paths = table["key"].to_pylist(), table["source_path"].to_pylist()
    alike: dict[int, Fields] = {}
    for row, group in enumerate(duplicate_groups(keys, found)):
        if group:
            alike[row] = {"duplicate_group": group}
    for row, duplicate in found.items():
        alike[row] |= alike_verdict(keys[row], duplicate, paths[duplicate.kept], config)
    left = [row for row in range(len(table)) if "decision" not in alike.get(row, ())]
    seen = None if faces is None else faces[left]
    rest = table.take(pa.array(left, pa.int64()))
    return _with_scenes(rest, left, alike, config, sum(row < settled for row in left), seen)


def _with_scenes(
    table: pa.Table,
    rows: Sequence[int],
    alike: dict[int, Fields],
    config: Duplicates,
    settled: int,
    faces: NDArray[np.float64] | None,
) -> dict[int, Fields]:
    """`alike`, with what the scenes of a part of the samples say; `rows` are their numbers in the whole."""
    columns: dict[str, Any] = {name: table[name].to_pylist() for name in SCENE_COLUMNS if name != "appearance"}
    columns["appearance"] = _lists(table["appearance"], _NUMBERS)
    columns[PROPORTION] = table[PROPORTION].to_numpy()
    keys, groups = columns["key"], scene_groups(columns, faces, settled)
    for row, key, group in zip(rows, keys, groups, strict=True):
        if group:
            alike.setdefault(row, {}).update(scene_verdict(key, group, config))
    for place, duplicate in cut_differently(columns, groups).items():
        alike[rows[duplicate.kept]]["duplicate_group"] = duplicate.key
        path = columns["source_path"][duplicate.kept]
        said = alike_verdict(keys[place], duplicate, path, config)
        alike[rows[place]] |= said | {"duplicate_group": duplicate.key}
    return alike


def _lists(column: pa.ChunkedArray, length: int) -> NDArray[np.float64]:
    """(N, length) of a column of lists; zeros, which say nothing, where there is none."""
    found = np.zeros((len(column), length))
    there = np.asarray(pc.is_valid(column))
    found[there] = np.asarray(pc.list_flatten(column)).reshape(-1, length)
    return found
