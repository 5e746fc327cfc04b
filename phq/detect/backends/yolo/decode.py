"""What ultralytics gives for a picture, as phq's arrays. Nothing of ultralytics or PyTorch is imported."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from phq.detect.candidates import Candidates

KEYPOINTS = (17, 3)
"""Shape of the keypoints of COCO with scores."""
AGREES = 0.5
"""Intersection over union from which a mask is of the person in the hint."""


def candidates(result: Any) -> Candidates:
    """People of one picture, in its pixels, best first.

    Args:
        result: ``ultralytics.engine.results.Results`` on the CPU, or what has its ``boxes`` and ``keypoints``.
    """
    boxes = np.asarray(result.boxes.xyxy, float).reshape(-1, 4)
    keypoints = _keypoints(result, len(boxes))
    found = Candidates.of(boxes, np.asarray(result.boxes.conf, float), keypoints)
    return found.at(np.argsort(-found.scores, kind="stable"))


def _keypoints(result: Any, people: int) -> NDArray[np.float64]:
    """(people, 17, 3); zeros where the network has none, or others."""
    none = np.zeros((people, *KEYPOINTS))
    data = getattr(result.keypoints, "data", None)
    if data is None or np.shape(data)[1:] != KEYPOINTS or len(data) != people:
        return none
    points = np.asarray(data).astype(float)
    points[~points[..., :2].any(-1), 2] = 0  # some versions move a point that they do not believe in to the corner
    return points


def best_mask(result: Any, hint: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Mask of the person that agrees best with the hint, (H, W) of 0 and 1; None if none does (`AGREES`).

    Args:
        result: with ``masks`` of the picture's size.
        hint: (H, W) soft mask.
    """
    data = getattr(result.masks, "data", None)
    if data is None or not len(data):
        return None
    masks = np.asarray(data) > 0.5
    if masks.shape[1:] != hint.shape:
        raise ValueError(f"masks of {masks.shape[1:]}, expected {hint.shape}")
    agreement = mask_iou(masks, hint > 0.5)
    best = int(np.argmax(agreement))
    return masks[best].astype(np.float32) if agreement[best] >= AGREES else None


def mask_iou(masks: NDArray[np.bool_], one: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(N,) intersection over union of each of (N, H, W) with one (H, W); 0 where both are empty."""
    shared = (masks & one).sum((1, 2))
    return np.asarray(shared / np.maximum((masks | one).sum((1, 2)), 1), float)
