"""Matched rows read as one kind under one convention: the rotations that are compared, and what is stated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from phq.curate.predictions.conventions import OF_EULER, OF_KEYPOINTS, OF_ROTATIONS, PROGRAMS, Convention, alternatives
from phq.curate.predictions.files import PredictedRow
from phq.curate.predictions.fusion import apart_deg
from phq.curate.predictions.keypoints import decode_keypoints, distance_percent
from phq.curate.predictions.rotations import RowError, decode_body, decode_head
from phq.curate.predictions.stored_pose import StoredPose
from phq.system.arrays import Doubles


@dataclass(frozen=True)
class Pair:
    """A sample and the row that is about it."""

    seen: StoredPose
    row: PredictedRow


def predicted(pair: Pair, kind: str, convention: Convention) -> Doubles:
    """(3, 3) of the head (where the record has its joint) or the torso, or (17, 3) keypoints.

    Raises:
        RowError: the row cannot be read so.
    """
    if kind == "headpose":
        return decode_head(pair.row, convention, pair.seen, rounds=0)
    if kind == "keypoints":
        return decode_keypoints(pair.row, convention, pair.seen)
    return decode_body(pair.row, kind, convention, pair.seen).torso


def of_record(seen: StoredPose, kind: str) -> Doubles:
    """(3, 3) what the record says of the same, in the same axes."""
    return np.asarray(seen.head if kind == "headpose" else seen.fit.torso_to_cam)


def distances(pairs: Sequence[Pair], kind: str, convention: Convention) -> Doubles | None:
    """(N,) between rows and records, degrees or, of keypoints, per cent of the box; None if a row cannot be read so."""
    try:
        found = [predicted(pair, kind, convention) for pair in pairs]
    except RowError:
        return None
    if kind == "keypoints":
        apart = np.array([distance_percent(points, pair.seen) for points, pair in zip(found, pairs, strict=True)])
        return apart[np.isfinite(apart)] if np.isfinite(apart).any() else None
    return apart_deg(np.stack(found), np.stack([of_record(pair.seen, kind) for pair in pairs]))


def other_conventions(row: PredictedRow, kind: str, convention: Convention) -> Iterator[tuple[str, Convention]]:
    """The stated convention with one field changed, and those of programs, each with a phrase."""
    euler = kind == "headpose" and "rotation" not in row.numbers
    fields = OF_KEYPOINTS if kind == "keypoints" else OF_EULER if euler else OF_ROTATIONS
    yield from alternatives(convention, fields)
    for name, program in PROGRAMS.items():
        if kind in program.kinds and any(getattr(program.convention, f) != getattr(convention, f) for f in fields):
            yield f"the convention {name}", program.convention
