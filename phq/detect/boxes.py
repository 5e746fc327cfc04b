"""Box arithmetic. A box is x0, y0, x1, y1 in pixels; arrays of boxes are (N, 4) float64."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.floating[Any]]


def area(boxes: Boxes) -> Boxes:
    """Area of each box, (N,); 0 for an inverted one."""
    return np.asarray(np.clip(boxes[..., 2] - boxes[..., 0], 0, None) * np.clip(boxes[..., 3] - boxes[..., 1], 0, None))


def intersection(a: Boxes, b: Boxes) -> Boxes:
    """(N, M) areas of overlap between every box of `a` (N, 4) and every box of `b` (M, 4)."""
    return _shared(a[:, None], b[None])


def _shared(a: Boxes, b: Boxes) -> Boxes:
    """(...) areas of overlap of boxes (..., 4) that broadcast."""
    low, high = np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])
    return area(np.concatenate([low, high], axis=-1))


def iou(a: Boxes, b: Boxes) -> Boxes:
    """(N, M) intersection over union of every box of `a` (N, 4) and every box of `b` (M, 4)."""
    return paired_iou(a[:, None], b[None])


def paired_iou(a: Boxes, b: Boxes) -> Boxes:
    """(...) intersection over union of boxes (..., 4) that broadcast, such as (N,) of N pairs."""
    shared = _shared(a, b)
    return np.asarray(shared / np.maximum(area(a) + area(b) - shared, 1e-9))


def covered(a: Boxes, b: Boxes) -> Boxes:
    """(N, M) fraction of each box of `a` that lies inside each box of `b`."""
    return np.asarray(intersection(a, b) / np.maximum(area(a)[:, None], 1e-9))


def nms(boxes: Boxes, scores: Boxes, max_iou: float) -> list[int]:
    """Greedy non-maximum suppression; indices kept, best score first (ties: lower index first)."""
    order = list(np.argsort(-scores, kind="stable"))
    kept: list[int] = []
    overlap = iou(boxes, boxes)
    for i in order:
        if all(overlap[i, j] <= max_iou for j in kept):
            kept.append(int(i))
    return kept


def clip(boxes: Boxes, width: int, height: int) -> Boxes:
    """Boxes cut at the borders of a width × height picture."""
    return np.asarray(np.clip(boxes, 0, [width, height, width, height]))


MIDDLE = 0.2
"""Side of the middle of a photo, fraction of the photo's sides."""


def holds_middle(boxes: Boxes, width: int, height: int) -> Any:
    """(N,) whether a box holds at least half of the photo's middle, where the subject of a headshot is.

    Args:
        boxes: (N, 4) x0, y0, x1, y1 in photo pixels.
        width: of the photo, pixels.
        height: of the photo, pixels.
    """
    low, high = (1 - MIDDLE) / 2, (1 + MIDDLE) / 2
    middle = np.array([[low * width, low * height, high * width, high * height]])
    return covered(middle, boxes)[0] >= 0.5
