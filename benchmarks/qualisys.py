"""Calibrated cameras of a Qualisys rig, their synchronised videos, and points seen by several of them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import cv2
import numpy as np

from phq.camera.convention import BODY_TO_CV, unit
from phq.errors import InputError
from phq.system.arrays import Floats, Image

SUBPIXELS = 64
DISTORTION = (
    "radialDistortion1",
    "radialDistortion2",
    "tangentalDistortion1",  # as Qualisys spells it
    "tangentalDistortion2",
    "radialDistortion3",
)
SIZE_SLACK = 0.02
"""Encoders cut a few columns; more than this fraction of a side is a video that was turned or scaled."""


@dataclass(frozen=True)
class Camera:
    """One camera of a rig."""

    name: str
    world_to_cam: Floats
    """3×3 rotation into OpenCV camera axes."""
    centre: Floats
    """(3,) position, metres."""
    K: Floats
    """3×3 intrinsics, pixels."""
    distortion: Floats
    """(5,) OpenCV: k1, k2, p1, p2, k3."""
    size: tuple[int, int]
    """Width and height of the image it was calibrated for, pixels."""

    def sight(self, pixels: Floats) -> Floats:
        """(N, 3) unit vectors of the lines of sight through pixels (N, 2), camera axes."""
        flat = cv2.undistortPoints(np.asarray(pixels, float).reshape(-1, 1, 2), self.K, self.distortion)
        return unit(np.column_stack([flat[:, 0], np.ones(len(flat))]))

    def project(self, points: Floats) -> Floats:
        """(N, 2) pixels of world points (N, 3)."""
        in_cam = (np.asarray(points, float) - self.centre) @ self.world_to_cam.T
        return np.asarray(cv2.projectPoints(in_cam, np.zeros(3), np.zeros(3), self.K, self.distortion)[0][:, 0])


def read_qualisys(path: Path) -> list[Camera]:
    """Cameras of a Qualisys calibration, in the order of the file.

    Raises:
        InputError: the file cannot be read, or is no such calibration.
    """
    try:
        elements = list(ET.parse(path).getroot().iter("camera"))
        cameras = [_camera(element) for element in elements]
    except (OSError, ET.ParseError, AttributeError, KeyError, ValueError) as error:
        raise InputError(f"{path} cannot be read as a Qualisys calibration: {error!r}") from error
    if not cameras:
        raise InputError(f"{path} has no cameras in it")
    return cameras


def _numbers(element: ET.Element, name: str) -> dict[str, float]:
    found = element.find(name)
    if found is None:
        raise ValueError(f"a camera without <{name}>")
    return {key: float(value) for key, value in found.attrib.items()}


def _camera(element: ET.Element) -> Camera:
    place, lens, view = (_numbers(element, name) for name in ("transform", "intrinsic", "fov_video"))
    rows = np.array([[place[f"r{row}{column}"] for column in (1, 2, 3)] for row in (1, 2, 3)])
    focal = [lens[f"focalLength{axis}"] / SUBPIXELS for axis in "UV"]
    centre = [lens[f"centerPoint{axis}"] / SUBPIXELS - view[edge] for axis, edge in (("U", "left"), ("V", "top"))]
    return Camera(
        name=element.attrib["serial"],
        world_to_cam=BODY_TO_CV @ rows,
        centre=np.array([place[axis] for axis in "xyz"]) / 1000,
        K=np.array([[focal[0], lens["skew"] / SUBPIXELS, centre[0]], [0, focal[1], centre[1]], [0, 0, 1]]),
        distortion=np.array([lens[name] for name in DISTORTION]),
        size=(int(view["right"] - view["left"]) + 1, int(view["bottom"] - view["top"]) + 1),
    )


def triangulate(cameras: Sequence[Camera], pixels: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Points nearest to the lines of sight of at least two cameras.

    Args:
        pixels: for each camera, (N, 2) pixels of the same N points.

    Returns:
        points (N, 3) in the world and their distances (V, N) from each camera's line of sight, metres.
    """
    sights = np.stack([c.sight(p) @ c.world_to_cam for c, p in zip(cameras, pixels, strict=True)])
    centres = np.stack([c.centre for c in cameras])[:, None]
    across = np.eye(3) - sights[..., :, None] * sights[..., None, :]  # onto the plane across each line
    points = np.linalg.solve(across.sum(0), (across @ centres[..., None]).sum(0))[..., 0]
    return points, np.linalg.norm((across @ (points - centres)[..., None])[..., 0], axis=-1)


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
