"""A second face inside the mask of one person: somebody else stands so near that no detector told the two apart."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from phq.face.centerface import SIDE, STRIDE
from phq.work import Floats, Image

SAME_FACE = 0.3
"""Intersection over union from which two boxes are one face (CenterFace's own value)."""
WEAKEST = 0.1
"""Peaks below this are no faces; it bounds how many are compared."""
LOOK = ("537", "538", "539")
"""Outputs of the network: heat, size, offset."""


def second_face(session: Any, crop: Image, mask: NDArray[np.uint8]) -> float:
    """Score of the second best face whose middle lies inside the person's mask, 0..1; 0 if there are not two.

    Args:
        session: of the weights ``centerface``. crop: S × S × 3 RGB. mask: S × S, 0 or 255.
    """
    shrinks = len(crop) > SIDE
    square = cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    bgr = np.ascontiguousarray(square[..., ::-1].transpose(2, 0, 1)[None], dtype=np.float32)
    heat, size, offset = (output[0] for output in session.run(list(LOOK), {"input.1": bgr}))
    boxes, scores = peaks(heat[0], size, offset)
    middle = np.clip((boxes[:, :2] + boxes[:, 2:]) / 2 * len(mask), 0, len(mask) - 1).astype(int)
    own = mask[middle[:, 1], middle[:, 0]] > 0
    return second_best(boxes[own], scores[own])


def peaks(heat: Floats, size: Floats, offset: Floats) -> tuple[Floats, Floats]:
    """(N, 4) boxes, fractions of the square's side, and (N,) scores of all peaks of the network's maps, best first.

    Args:
        heat: h × w. size, offset: 2 × h × w, logarithm of height and width, and y and x, both in cells.
    """
    top = heat >= cv2.dilate(heat, np.ones((3, 3), np.uint8))
    rows, columns = np.nonzero(top & (heat >= WEAKEST))
    order = np.argsort(-heat[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    middle = np.stack([columns, rows], 1) + 0.5 + offset[::-1, rows, columns].T
    half = np.exp(size[::-1, rows, columns].T) / 2
    boxes = np.concatenate([middle - half, middle + half], 1) * (STRIDE / SIDE)
    return boxes.astype(np.float64), heat[rows, columns].astype(np.float64)


def second_best(boxes: Floats, scores: Floats) -> float:
    """Score of the best box that is not the same face as the first; 0 if there is none.

    Args:
        boxes: (N, 4), best first. scores: (N,).
    """
    if not len(boxes):
        return 0.0
    low, high = np.maximum(boxes[:, :2], boxes[0, :2]), np.minimum(boxes[:, 2:], boxes[0, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    others = shared < SAME_FACE * (areas + areas[0] - shared)
    return float(scores[others].max(initial=0.0))
