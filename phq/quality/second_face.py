"""A second face inside the mask of one person: another person is so near that no detector separated the two."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from phq.detect.centerface import SIDE, CenterFace
from phq.system.arrays import Floats, Image

SAME_FACE = 0.3
"""Intersection over union from which two boxes are one face (CenterFace's own value)."""


def second_face(network: CenterFace, crop: Image, mask: NDArray[np.uint8]) -> float:
    """Score of the second best face whose middle is inside the person's mask, 0..1; 0 if there are not two.

    Args:
        crop: S × S × 3 RGB.
        mask: S × S, 0 or 255.
    """
    shrinks = len(crop) > SIDE
    square = cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    boxes, scores = network.faces(np.asarray(square, np.uint8))
    middle = np.clip((boxes[:, :2] + boxes[:, 2:]) / 2 * len(mask), 0, len(mask) - 1).astype(int)
    own = mask[middle[:, 1], middle[:, 0]] > 0
    return second_best(boxes[own], scores[own])


def second_best(boxes: Floats, scores: Floats) -> float:
    """Score of the best box that is not the same face as the first; 0 if there is none.

    Args:
        boxes: (N, 4), best first.
        scores: (N,).
    """
    if not len(boxes):
        return 0.0
    low, high = np.maximum(boxes[:, :2], boxes[0, :2]), np.minimum(boxes[:, 2:], boxes[0, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    others = shared < SAME_FACE * (areas + areas[0] - shared)
    return float(scores[others].max(initial=0.0))
