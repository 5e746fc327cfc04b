"""A second face inside the mask of one person: another person is so near that no detector separated the two."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from phq.detect.centerface import SIDE, CenterFace
from phq.people.person import Faces
from phq.system.arrays import Floats, Image

SAME_FACE = 0.3
"""Intersection over union from which two boxes are one face (CenterFace's own value)."""


def faces_of(network: CenterFace, crop: Image) -> Faces:
    """All faces of an S × S × 3 RGB crop, in its pixels."""
    shrinks = len(crop) > SIDE
    square = cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return network.look(np.asarray(square, np.uint8))[1].moved(np.diag([len(crop), len(crop), 1.0])[:2])


def second_face(faces: Faces, mask: NDArray[np.uint8]) -> float:
    """Score of the second best face whose middle is inside the person's mask, 0..1; 0 if there are not two.

    Args:
        faces: in pixels of the crop; they may lie beyond it.
        mask: S × S, 0 or 255.
    """
    middle = np.floor((faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2)
    middle = np.clip(np.nan_to_num(middle, nan=-1.0), -1, len(mask)).astype(int)
    inside = ((middle >= 0) & (middle < len(mask))).all(1)
    own = inside.copy()
    own[inside] = mask[middle[inside, 1], middle[inside, 0]] > 0
    return second_best(faces.boxes[own], faces.scores[own])


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
