"""From MediaPipe's poses to boxes, COCO keypoints and regions."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from phq.detect.backends.mediapipe.runtime import Pose
from phq.system.arrays import Floats

COCO = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
"""Landmarks that are the 17 COCO keypoints, in COCO's order."""
UPPER = slice(0, 13)
"""Head and shoulders: without them there is no headshot."""
SEEN = 0.5
"""Visibility from which a landmark belongs into the box, and mask value from which a pixel does."""
REACH = 0.94
"""Distance of the farthest landmark from the hips over that of auxiliary landmark 34."""


def keypoints_of(pose: Pose) -> Floats:
    """(17, 3) x, y in pixels and a score: seen and inside the region."""
    rows = list(COCO)
    return np.column_stack([pose.points[rows], pose.visibility[rows] * pose.presence[rows]])


def score_of(pose: Pose) -> float:
    """Visibility of head and shoulders of a person, 0..1. MediaPipe does not expose its detector's score."""
    return float((pose.visibility * pose.presence)[UPPER].mean())


def box_of(pose: Pose) -> Floats:
    """(4,) x0, y0, x1, y1 in pixels: round the largest piece of the mask and the landmarks that are seen."""
    height, width = pose.mask.shape
    seen = (pose.visibility > SEEN) & (pose.points >= 0).all(1) & (pose.points <= [width, height]).all(1)
    corners = [*_largest_piece(pose.mask), *pose.points[seen]]
    if not corners:
        return np.zeros(4)
    return np.concatenate([np.min(corners, axis=0), np.max(corners, axis=0)])


def _largest_piece(mask: NDArray[np.float32]) -> Floats:
    """(2, 2) corners of the largest connected piece; (0, 2) if there is none."""
    number, _, stats, _ = cv2.connectedComponentsWithStats((mask > SEEN).astype(np.uint8), connectivity=8)
    if number < 2:
        return np.zeros((0, 2))
    x, y, width, height, _ = stats[1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))]
    return np.array([[x, y], [x + width, y + height]], float)


def centre_of(points: Floats) -> Floats:
    """(2, 2) substitutes for auxiliary landmarks 33 and 34, which MediaPipe does not expose.

    33 is the middle of the hips; 34 lies from there in the direction of the middle of the shoulders, as far as the
    radius of the circle round the whole person (Bazarevsky et al. 2020). The farthest landmark stands in for the
    circle. Against the network's own on 69 people, `full` and `heavy`: 33 within 1 % of that radius, the direction
    within 1°, the radius within 12 % for eight in ten.

    Args:
        points: (33, 2).
    """
    hips, shoulders = points[23:25].mean(0), points[11:13].mean(0)
    up = shoulders - hips
    length = float(np.hypot(*up))
    direction = up / length if length > 0 else np.array([0.0, -1.0])
    radius = float(np.hypot(*(points - hips).T).max()) / REACH
    return np.array([hips, hips + radius * direction])
