"""Exact truth of rendered people, and the annotated person that belongs to it.

A truth folder holds NNNNN.jpg with NNNNN.json; the json's part axes are x left, y back, z up, in OpenCV camera axes.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from phq.detect.boxes import iou

JOINT_OF = {"torso": "neck", "head": "head"}
MATCH = 0.4
"""Least intersection over union of an annotated box and the visible box of the true person."""


def true_yaw(person: dict[str, Any], part: str) -> float:
    """Yaw of the camera in the part's frame (degrees): 0 in front, + on the subject's left."""
    joint = person["joints3d_cam"][person["joints_names"].index(JOINT_OF[part])]
    x, y, _ = np.array(person[part]["R_cam"]).T @ -np.array(joint)
    return float(np.degrees(np.arctan2(x, -y)))


def matched(rows: list[dict[str, Any]], folder: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    """(truth, row of the main person or None) for every image of a truth folder."""
    by_photo = defaultdict(list)
    for row in rows:
        if row.get("box_x0") is not None:
            by_photo[Path(row["source_path"]).name].append(row)
    for path in sorted(folder.glob("*.json")):
        truth = json.loads(path.read_text())
        box = np.array(truth["people"][0]["bbox_visible_xyxy"], float)[None]
        found = [(overlap(row, box), i, row) for i, row in enumerate(by_photo[truth["image"]])]
        best = max(found, default=(0.0, 0, None))
        yield truth, best[2] if best[0] > MATCH else None


def overlap(row: dict[str, Any], box: np.ndarray) -> float:
    """Intersection over union of a row's box with (1, 4) box."""
    return float(iou(np.array([[row[f"box_{edge}"] for edge in ("x0", "y0", "x1", "y1")]]), box)[0, 0])
