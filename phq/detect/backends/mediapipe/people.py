"""Pose Landmarker with its own detector: people as boxes and as 17 keypoints."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from phq.detect.backends.mediapipe.decode import box_of, keypoints_of, score_of
from phq.detect.backends.mediapipe.runtime import PoseLandmarker
from phq.detect.backends.mediapipe.task_file import TaskBackend, task_path
from phq.detect.candidates import Candidates
from phq.detect.movenet import look_where_unexplained
from phq.detect.tiles import look_everywhere
from phq.system.arrays import Image

PEOPLE = 10
"""Most people in a picture or tile."""
DETECTION, PRESENCE = 0.3, 0.5
"""Confidences from which MediaPipe returns a person. With its own 0.5 and 0.5 it misses every seventh rendered person;
with less than this it finds people on walls, with landmarks as sure as any."""
WEAK = 0.1
LONG_SIDE = 1024
"""Larger pictures are shrunk to it: each person comes with a mask of the picture's size."""
MAX_IOU = 0.5


class MediaPipePeople(TaskBackend):
    """Common to detector and skeleton."""

    threshold = 0.4

    def __init__(self, weights: str = "") -> None:
        self.task = PoseLandmarker(task_path(weights), PEOPLE, DETECTION, PRESENCE)

    def look(self, pixels: Image) -> Candidates:
        """One look at a picture: boxes and keypoints in its pixels."""
        scale = min(1.0, LONG_SIDE / max(pixels.shape[:2]))
        small = pixels
        if scale < 1:
            small = np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        poses = self.task.look(small)
        factor = np.array([pixels.shape[1] / small.shape[1], pixels.shape[0] / small.shape[0]])
        boxes = np.array([box_of(pose) for pose in poses]).reshape(-1, 4) * [*factor, *factor]
        keypoints = np.array([keypoints_of(pose) for pose in poses]).reshape(-1, 17, 3) * [*factor, 1]
        found = Candidates.of(boxes, np.array([score_of(pose) for pose in poses]), keypoints)
        return found.at(found.scores > WEAK).distinct(MAX_IOU)


class MediaPipeDetector(MediaPipePeople):
    """Slot ``detector``: the whole photo, and the tiles of a large one."""

    def detect(self, pictures: Sequence[Image], threshold: float, tiles: bool) -> list[Candidates]:
        """See `phq.detect.backends.protocols.Detector`."""
        return look_everywhere(pictures, self.look, threshold, tiles, MAX_IOU)


class MediaPipeSkeleton(MediaPipePeople):
    """Slot ``skeleton``: the whole photo, and of a large one the tiles with boxes that this leaves unexplained."""

    def find(self, pixels: Image, boxes: Candidates, thresholds: tuple[float, float], tiles: bool) -> Candidates:
        """See `phq.detect.backends.protocols.Skeleton`."""
        if not tiles:
            return self.look(pixels)
        return look_where_unexplained(pixels, self.look, boxes, thresholds, MAX_IOU)
