"""Pose Landmarker's landmark network on regions that phq chooses."""

from __future__ import annotations

import numpy as np

from phq.detect.backends.mediapipe.decode import UPPER, centre_of
from phq.detect.backends.mediapipe.region_task import region_task
from phq.detect.backends.mediapipe.runtime import Pose, PoseLandmarker
from phq.detect.backends.mediapipe.task_file import TaskBackend, task_path
from phq.detect.blazepose import LEFT_RIGHT, SIDE
from phq.detect.body_region import NOBODY
from phq.people.person import AUX_SCALE, Landmarks
from phq.photos.region import Region, apply_affine, sample
from phq.system.arrays import Floats, Image
from phq.system.linear import product


class MediaPipeLandmarks(TaskBackend):
    """`run(jobs)` for (pixels, region, mirrored) jobs, as `phq.detect.blazepose.BlazePose`.

    MediaPipe exposes neither the auxiliary landmarks nor the pose flag:
    `phq.detect.backends.mediapipe.decode.centre_of` stands in for the former; of the latter is known whether it is
    below `NOBODY`, and else the mean presence of head and shoulders stands in for it. Its landmarks differ from the
    network's own by what it draws from the heatmaps.
    """

    def __init__(self, weights: str = "") -> None:
        self.task = PoseLandmarker(task_path(weights), 1, 0.5, NOBODY, region_task)

    def run(self, jobs: list[tuple[Image, Region, bool]]) -> list[Landmarks]:
        """See `phq.detect.backends.protocols.LandmarkNetwork`."""
        return [self._run(*job) for job in jobs]

    def _run(self, pixels: Image, region: Region, mirrored: bool) -> Landmarks:
        crop = sample(pixels, region, SIDE)
        poses = self.task.look(crop[:, ::-1] if mirrored else crop)
        return landmarks_of(poses[0], region, mirrored) if poses else no_person(region)


def landmarks_of(pose: Pose, region: Region, mirrored: bool) -> Landmarks:
    """A pose in the `SIDE`² sample of a region, or in the mirror image of it, to photo pixels and upright axes."""
    points, world, mask, order = pose.points, pose.world, pose.mask, list(range(33))
    if mirrored:
        points, world, mask = points * [-1, 1] + [SIDE, 0], world * [-1, 1, 1], mask[:, ::-1]
        order = list(LEFT_RIGHT)
    placed = apply_affine(region.to_photo(SIDE), points[order])
    soft = np.ascontiguousarray(np.clip(mask, 0, 1), dtype=np.float32)
    presence = float(pose.presence[UPPER].mean())
    upright = turned(world[order], region.angle)
    return Landmarks(region, placed, upright, pose.visibility[order], presence, centre_of(placed), soft)


def turned(world: Floats, angle: float) -> Floats:
    """(33, 3) from the axes of a region to those of the upright photo."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.column_stack([product(world[:, :2], np.array([[cos, sin], [-sin, cos]])), world[:, 2]])


def no_person(region: Region) -> Landmarks:
    """Result for a region without a person: presence 0, the same region again."""
    middle = np.array([region.cx, region.cy])
    points, soft = np.tile(middle, (33, 1)), np.zeros((SIDE, SIDE), np.float32)
    up = np.array([np.sin(region.angle), -np.cos(region.angle)]) * region.side / AUX_SCALE
    return Landmarks(region, points, np.zeros((33, 3)), np.zeros(33), 0.0, np.array([middle, middle + up]), soft)
