"""A sample drawn: its picture, what was seen in it, and the body that was fitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from phq.building.contact_sheet import laid_over
from phq.dataset.item import Item
from phq.pose.drawn import BODIES, Bodies
from phq.pose.render import draw_skeleton
from phq.system.arrays import Floats, Image

_MASK, _LANDMARK, _FACE = (60, 255, 120), (255, 220, 0), (255, 90, 200)
_SEEN = 0.5
"""Least visibility of a landmark that is drawn large."""


def draw(item: Item, bodies: Bodies = BODIES) -> Image:
    """S × 3·S × 3 RGB, S the side of the stored picture: it, what was seen in it, and the body that was fitted.

    Raises:
        InputError: nothing is stored of this sample.
    """
    picture, row = item.image, item.row
    size = picture.shape[0]
    K = np.diag([size, size, 1.0]) @ np.reshape(row["intrinsics"], (3, 3))
    seen = _with_landmarks(_with_outline(picture, item.mask), row)
    found = bodies.drawn(row)
    drawn = laid_over(picture, row, bodies, opacity=0.5)
    if found is not None:
        drawn = draw_skeleton(drawn, found.joints, found.body.parents, K, thickness=max(1, size // 256))
    return np.hstack([picture, seen, _with_words(drawn, row, bodies.note(row))])


def _with_outline(picture: Image, mask: Image) -> Image:
    outline = picture.copy()
    edges, _ = cv2.findContours((mask > 127).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(outline, edges, -1, _MASK, max(1, len(picture) // 256))
    return outline


def _with_landmarks(picture: Image, row: Mapping[str, Any]) -> Image:
    """The picture with landmarks (large where the network says it sees them), box and points of the face."""
    drawn, radius = picture.copy(), max(1, len(picture) // 170)
    for (x, y), visibility in zip(_to_crop(row), row["keypoints_visibility"], strict=True):
        if 0 <= x < len(picture) and 0 <= y < len(picture):
            _dot(drawn, (x, y), _LANDMARK, radius if visibility >= _SEEN else max(1, radius // 2))
    if row["face_found"]:
        x0, y0, x1, y1 = (round(value) for value in row["face_box"])
        cv2.rectangle(drawn, (x0, y0), (x1, y1), _FACE, radius // 2 + 1)
        for point in np.reshape(row["face_points"], (-1, 2)).tolist():
            _dot(drawn, point, _FACE, radius)
    return drawn


def _dot(picture: Image, point: Any, colour: tuple[int, int, int], radius: int) -> None:
    centre = (int(point[0]), int(point[1]))
    cv2.circle(picture, centre, radius + 1, (0, 0, 0), -1, cv2.LINE_AA)
    cv2.circle(picture, centre, radius, colour, -1, cv2.LINE_AA)


def _to_crop(row: Mapping[str, Any]) -> Floats:
    """(33, 2) landmarks in crop pixels."""
    to_source = np.vstack([np.reshape(row["crop_to_source"], (2, 3)), [0, 0, 1]])
    points = np.reshape(row["keypoints_2d"], (-1, 2))
    return np.asarray((np.hstack([points, np.ones((len(points), 1))]) @ np.linalg.inv(to_source).T)[:, :2])


def _with_words(picture: Image, row: Mapping[str, Any], note: str) -> Image:
    written = picture.copy()
    scale = max(0.35, len(picture) / 900)
    lines = [
        f"{part} " + " ".join(f"{axis} {row[f'{part}_{axis}_deg']:.0f}" for axis in ("yaw", "pitch", "roll"))
        for part in ("camera", "head")
    ] + [note] * bool(note)
    for number, line in enumerate(lines):
        place = (6, round(len(picture) - 8 - 30 * scale * (len(lines) - 1 - number)))
        for colour, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
            cv2.putText(written, line, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, width, cv2.LINE_AA)
    return written
