"""Verification of values in any table: nulls, lengths, finite and rounded numbers, valid cameras."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from phq.camera.angles import apart_deg
from phq.camera.convention import RADIUS
from phq.schema import DIGITS, Row, column_kind
from phq.system.arrays import Doubles

Finding = tuple[str, int, str]
"""Kind of a violation, number of the row, and its detail."""
_ANGLES = ("camera_yaw_deg", "camera_pitch_deg", "camera_roll_deg")
_EXACT = 2.0**40
"""Magnitude beyond which a double does not hold the decimals that are kept."""
_POLE = 0.01
"""Distance from the torso's vertical axis, metres, below which the yaw is no longer determined by rounded numbers."""


def value_findings(table: pa.Table, nulls: bool = False) -> Iterator[Finding]:
    """Every value that the format does not allow, column by column, rows ascending.

    Args:
        table: columns of `phq.schema.Row`, of the right types; in other columns only nulls and non-finite numbers are
            found.
        nulls: allow nulls and non-finite numbers: a reject has what was computed of it, and a score that is NaN is a
            reason to reject.
    """
    for name in table.column_names:
        column = table.column(name).combine_chunks()
        if not nulls:
            for row in _rows(pc.is_null(column)):
                yield "value_missing", row, f"{name} is null"
        if pa.types.is_list(column.type):
            yield from _list_findings(name, column, nulls)
        elif pa.types.is_floating(column.type):
            yield from _decimals(name, column, np.arange(len(column)), nulls)
        elif name in Row.model_fields and pa.types.is_string(column.type):
            yield from _text_findings(name, column)
    yield from _camera_findings(table)


def numbers(table: pa.Table, name: str) -> Doubles | None:
    """(rows, length) of a list column; NaN where a row is null or of another length. None without such a column."""
    if name not in table.column_names:
        return None
    column, length = table.column(name).combine_chunks(), column_kind(name)[1]
    sizes = pc.fill_null(pc.list_value_length(column), -1).to_numpy(zero_copy_only=False)
    good = np.flatnonzero(sizes == length)
    values = np.full((len(column), length), np.nan)
    taken = pc.list_flatten(column.take(pa.array(good)))
    values[good] = np.asarray(taken.to_numpy(zero_copy_only=False), np.float64).reshape(-1, length)
    return values


def _list_findings(name: str, column: pa.Array, nulls: bool) -> Iterator[Finding]:
    sizes, length = pc.list_value_length(column), column_kind(name)[1]
    for row in _rows(pc.not_equal(sizes, length)):
        yield "value_invalid", row, f"{name} has {sizes[row].as_py()} numbers, not {length}"
    inner, owners = pc.list_flatten(column), pc.list_parent_indices(column).to_numpy()
    for row in np.unique(owners[_rows(pc.is_null(inner))]).tolist():
        yield "value_missing", row, f"{name} has a null"
    if pa.types.is_floating(inner.type):
        yield from _decimals(name, inner, owners, nulls)


def _rows(flags: Any) -> list[int]:
    """Numbers of the rows whose flag is true; null counts as false."""
    return np.flatnonzero(pc.fill_null(flags, False).to_numpy(zero_copy_only=False)).tolist()


def _text_findings(name: str, column: pa.Array) -> Iterator[Finding]:
    patterns = [note.pattern for note in Row.model_fields[name].metadata if getattr(note, "pattern", None)]
    for pattern in patterns:
        for row in _rows(pc.invert(pc.match_substring_regex(column, pattern))):
            yield "value_invalid", row, f"{name} is {column[row].as_py()!r}, not of the form {pattern}"


def _decimals(name: str, column: pa.Array, owners: NDArray[np.int64], nulls: bool) -> Iterator[Finding]:
    """Numbers that are not finite, and those that `phq.schema.rounded` would have written shorter.

    Args:
        name: of the column.
        column: all numbers of the column.
        owners: the row of each.
        nulls: see `value_findings`.
    """
    values: Doubles = pc.fill_null(column, 0.0).to_numpy(zero_copy_only=False)
    findings = [] if nulls else [("not_finite", ~np.isfinite(values))]
    if name in Row.model_fields:
        scaled = values * 10.0 ** DIGITS.get(name, 6)
        with np.errstate(invalid="ignore"):
            findings.append(("not_rounded", (np.abs(scaled) < _EXACT) & (np.abs(scaled - np.rint(scaled)) > 1e-3)))
    for kind, wrong in findings:
        at = np.flatnonzero(wrong)
        for row, first in zip(*np.unique(owners[at], return_index=True), strict=True):
            yield kind, int(row), f"{name} has {values[at[first]]}"


def _camera_findings(table: pa.Table) -> Iterator[Finding]:
    cam2world, K, affine = (numbers(table, name) for name in ("cam2world", "intrinsics", "crop_to_source"))
    if cam2world is not None:
        yield from _pose_findings(cam2world.reshape(-1, 4, 4), table)
    if K is not None:
        wrong = (K[:, 0] <= 0) | (K[:, 4] <= 0) | (np.abs(K[:, 6:] - [0, 0, 1]) > 0).any(1)
        for row in np.flatnonzero(wrong & np.isfinite(K).all(1)):
            yield "intrinsics_invalid", int(row), f"{K[row].tolist()}"
    if affine is not None:
        area = affine[:, 0] * affine[:, 4] - affine[:, 1] * affine[:, 3]
        for row in np.flatnonzero(np.abs(area) < 1e-12):
            yield "crop_invalid", int(row), f"{affine[row].tolist()}"


def _pose_findings(cam2world: Doubles, table: pa.Table) -> Iterator[Finding]:
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(cam2world).all((1, 2)))
    rotation, position = cam2world[:, :3, :3], cam2world[:, :3, 3]
    error = np.abs(rotation.transpose(0, 2, 1) @ rotation - np.eye(3)).max((1, 2))
    last = np.abs(cam2world[:, 3] - [0, 0, 0, 1]).max(1)
    turned: Doubles = np.linalg.det(np.where(finite[:, None, None], rotation, np.eye(3))).reshape(-1)
    for row in np.flatnonzero(finite & ((error > 1e-5) | (last > 0) | (turned < 0))):
        what = f"RᵀR off by {error[row]:.2g}, det R {turned[row]:.3g}, last row off by {last[row]:.2g}"
        yield "camera_not_rigid", int(row), what
    radius = np.linalg.norm(position, axis=1)
    for row in np.flatnonzero(finite & (np.abs(radius - RADIUS) > 1e-4)):
        yield "camera_radius", int(row), f"{radius[row]:.6g} m"
    yield from _angle_findings(cam2world, finite & (error < 1e-3) & (radius > _POLE), table)


def _angle_findings(cam2world: Doubles, usable: NDArray[np.bool_], table: pa.Table) -> Iterator[Finding]:
    """Compare the stored angles with those of position and up axis (docs/conventions.md)."""
    x, y, z = cam2world[:, :3, 3].T
    flat = np.hypot(x, z)
    up = cam2world[:, 1, :3]
    right = (np.arctan2(x, z), np.arctan2(y, flat), np.arctan2(up[:, 0], -up[:, 1]))
    for name, radians in zip(_ANGLES, right, strict=True):
        if name in table.column_names:
            stated = table.column(name).to_numpy()
            with np.errstate(invalid="ignore"):
                off = apart_deg(stated, np.degrees(radians))
            for row in np.flatnonzero(usable & (flat > _POLE) & (off > 1e-3)):
                yield "camera_angles", int(row), f"{name} is {stated[row]}, by cam2world {np.degrees(radians[row]):.6f}"
