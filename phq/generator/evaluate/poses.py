"""How far poses are from others: the discriminator's, the dataset's, and a constant one, from the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from phq.dataset.reader import Dataset
from phq.system.arrays import Floats

PARTS = ("neck", "head", "neck_head")
"""Neck on torso, head on neck, and both one after the other: head on torso."""


def turns(poses: Floats) -> dict[str, Rotation]:
    """Rotations of `PARTS` of poses (N, 6), axis-angle of neck and head, radians."""
    parts = np.split(np.array(poses, np.float64), 2, axis=1)  # a copy, since SciPy wants memory that can be written
    neck, head = (Rotation.from_rotvec(part) for part in parts)
    return {"neck": neck, "head": head, "neck_head": neck * head}


def pose_errors(poses: Floats, truth: Floats) -> dict[str, dict[str, float]]:
    """Mean and median geodesic angle, degrees, of `PARTS` between poses (N, 6) and the truth (N, 6)."""
    found, right = turns(poses), turns(truth)
    errors = {part: np.degrees((found[part].inv() * right[part]).magnitude()) for part in PARTS}
    return {part: {"mean": float(e.mean()), "median": float(np.median(e))} for part, e in errors.items()}


def mean_pose(poses: Floats) -> Floats:
    """(6,) the rotation of neck and of head that is nearest to all of poses (N, 6), by chordal L2 mean."""
    rotations = turns(poses)
    return np.concatenate([rotations[part].mean().as_rotvec() for part in ("neck", "head")])


def stated_poses(dataset: Dataset) -> Floats:
    """(N, 6) poses of neck and head that a dataset states, in its order."""
    column: Any = dataset.columns(["neck_head_pose"])["neck_head_pose"].combine_chunks()
    return np.asarray(column.flatten().to_numpy(), np.float64).reshape(len(dataset), 6)


def compared(seen: Floats, stated: Floats, constant: Floats, truth: Floats | None) -> dict[str, Any]:
    """Errors of what was seen, of what the dataset states, and of one pose for all, over the same N pictures.

    Args:
        seen, stated: (N, 6). constant: (6,). truth: (N, 6), or None if it is not known: then the errors are those
            from what the dataset states.
    """
    same = np.broadcast_to(constant, seen.shape)
    report: dict[str, Any] = {
        "images": len(seen),
        "to_labels": {"predictor": pose_errors(seen, stated), "constant": pose_errors(same, stated)},
    }
    if truth is not None:
        named = {"predictor": seen, "labels": stated, "constant": same}
        report["to_truth"] = {name: pose_errors(poses, truth) for name, poses in named.items()}
    return report
