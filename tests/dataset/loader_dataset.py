"""A tiny dataset whose cameras and poses are real ones, stated by an overlay, for the tests of `phq.dataset.loader`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tiny_datasets import tiny_samples, write_tiny

from phq.camera.angles import camera_angles
from phq.camera.convention import RADIUS, look_at, unit
from phq.dataset.overlays import write_overlay

COLUMNS = ("cam2world", "intrinsics", "neck_head_pose", "smpl_pose", "camera_yaw_deg", "weight")


def label(rng: np.random.Generator) -> dict[str, Any]:
    """A camera anywhere, mostly in front, rolled, its principal point off the middle; any pose; any weight."""
    yaw, pitch = np.radians([rng.choice([rng.normal(0, 30), rng.uniform(-180, 180)], p=[0.9, 0.1]), rng.normal(0, 15)])
    direction = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    camera = look_at(RADIUS * direction, unit(np.array([0.0, 1.0, 0.0]) + 0.2 * rng.normal(size=3)))
    focal, x, y, skew = rng.uniform(3, 7), *rng.uniform(0.3, 0.7, 2), rng.uniform(-0.1, 0.1)
    return {
        "cam2world": camera,
        "intrinsics": [focal, skew, x, 0, focal * 1.1, y, 0, 0, 1],
        "neck_head_pose": rng.normal(size=6),
        "smpl_pose": rng.normal(size=72),
        "camera_yaw_deg": camera_angles(camera)[0],
        "weight": float(rng.integers(0, 5)),
    }


def write_heads(folder: Path, number: int) -> Path:
    """A dataset of so many samples of 64², with the overlay ``cameras``."""
    samples = tiny_samples(number)
    write_tiny(folder, samples)
    rng = np.random.default_rng(5)
    rows = [{"key": sample.row["key"], **label(rng)} for sample in samples]
    write_overlay(folder, "cameras", rows, COLUMNS, {"command": "test"})
    return folder
