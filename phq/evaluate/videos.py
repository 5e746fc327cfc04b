"""Synchronised videos of calibrated cameras, and the one person that all of them see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count, product
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from phq.errors import InputError
from phq.evaluate.rig import Camera, triangulate
from phq.schema import LANDMARKS
from phq.system.arrays import Floats, Image

SIZE_SLACK = 0.02
"""Encoders cut a few columns; more than this fraction of a side is a video that was turned or scaled."""
PAIRED = ("ear", "shoulder", "hip")
"""Landmarks that are compared, left and right. Their middles do not care if a network confuses left and right."""
APART = 0.15
"""Metres (mean) from the lines of sight up to which views are of one person."""

Row = Mapping[str, Any]


def instants(folder: Path, cameras: Sequence[Camera], every: int = 1) -> Iterator[tuple[int, list[Image]]]:
    """(number, RGB frame of each camera) of every `every`-th instant, until the first video ends.

    The video of a camera is the file named after it (``cam01.mp4``); frames are not undistorted.

    Raises:
        InputError: a video is missing, unreadable, or not of the size its camera was calibrated for.
    """
    videos = [_open(folder, camera) for camera in cameras]
    for number in count():
        grabbed = [video.grab() for video in videos]
        if not all(grabbed):
            return
        if number % every == 0:
            yield number, [np.ascontiguousarray(video.retrieve()[1][..., ::-1]) for video in videos]


def _open(folder: Path, camera: Camera) -> cv2.VideoCapture:
    paths = sorted(path for path in folder.glob(f"{camera.name}.*") if path.is_file())
    if not paths:
        raise InputError(f"{folder} has no video of camera {camera.name} ({camera.name}.mp4)")
    video = cv2.VideoCapture(str(paths[0]))
    size = video.get(cv2.CAP_PROP_FRAME_WIDTH), video.get(cv2.CAP_PROP_FRAME_HEIGHT)
    if not video.isOpened() or min(size) <= 0:
        raise InputError(f"{paths[0]} cannot be read as a video")
    if any(abs(have / want - 1) > SIZE_SLACK for have, want in zip(size, camera.size, strict=True)):
        seen, known = (" × ".join(f"{side:.0f}" for side in sides) for sides in (size, camera.size))
        raise InputError(f"{paths[0]} is {seen}, but its camera was calibrated for {known}")
    return video


def landmarks(row: Row) -> Floats:
    """(2, 3, 2) pixels of the left and right ears, shoulders and hips."""
    points = np.array(row["keypoints_2d"], float).reshape(33, 2)
    return points[[[LANDMARKS.index(f"{side}_{part}") for part in PAIRED] for side in ("left", "right")]]


def same_person(cameras: Sequence[Camera], found: Sequence[Sequence[Row]]) -> list[Row | None]:
    """For each view, which of the people found in it is the one that most views share; None where nobody fits.

    Every choice of one person (or nobody) a view is triangulated by the middles of ears, shoulders and hips. Of those
    whose lines of sight meet within `APART`, the one with the most views is taken, and then the one that meets best.
    """
    best: tuple[int, float] = (1, 0.0)
    chosen: list[Row | None] = [None] * len(cameras)
    middles = [[landmarks(row).mean(0) for row in people] for people in found]
    for choice in product(*([*range(len(people)), None] for people in found)):
        seen = [(view, number) for view, number in enumerate(choice) if number is not None]
        if len(seen) < max(best[0], 2):
            continue
        _, apart = triangulate([cameras[v] for v, _ in seen], [middles[v][n] for v, n in seen])
        rank = len(seen), -float(apart.mean())
        if apart.mean() <= APART and (rank > best or best[0] < 2):
            best, chosen = rank, [None if n is None else found[v][n] for v, n in enumerate(choice)]
    return chosen


def reprojection_px(cameras: Sequence[Camera], people: Sequence[Row]) -> list[float]:
    """For each view, median distance of its six landmarks from the reprojection of their triangulation, pixels."""
    pixels = [landmarks(row).reshape(-1, 2) for row in people]
    points, _ = triangulate(cameras, pixels)
    off = [np.linalg.norm(c.project(points) - seen, axis=1) for c, seen in zip(cameras, pixels, strict=True)]
    return [float(np.median(distances)) for distances in off]
