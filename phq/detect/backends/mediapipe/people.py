"""Pose Landmarker with its own detector: people as boxes and as 17 keypoints."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from phq.detect.backends.mediapipe.decode import box_of, keypoints_of, score_of
from phq.detect.backends.mediapipe.runtime import PoseLandmarker
from phq.detect.backends.mediapipe.task_file import TaskBackend, task_path
from phq.detect.boxes import covered
from phq.detect.candidates import Candidates, united
from phq.detect.movenet import HELD, unexplained
from phq.detect.tiles import Rect, look_at_tiles
from phq.system.arrays import Image

PEOPLE = 10
"""At most so many in a picture or tile."""
DETECTION, PRESENCE = 0.3, 0.5
"""Confidences from which MediaPipe tells of a person. With its own 0.5 and 0.5 it misses every seventh rendered person;
with less than this it finds people on walls, with landmarks as sure as any."""
WEAK = 0.1
LONG_SIDE = 1024
"""Larger pictures are shrunk to it: each person comes with a mask of the picture's size."""
MAX_IOU = 0.5


class MediaPipePeople(TaskBackend):
    """What detector and skeleton have in common."""

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
        return [self._detect(pixels, threshold, tiles) for pixels in pictures]

    def _detect(self, pixels: Image, threshold: float, tiles: bool) -> Candidates:
        whole = self.look(pixels)
        in_tiles, parts = look_at_tiles(pixels, self.look) if tiles else (united([]), united([]))
        return united([whole, in_tiles]).with_parts(parts, threshold).distinct(MAX_IOU)


class MediaPipeSkeleton(MediaPipePeople):
    """Slot ``skeleton``: the whole photo, and of a large one the tiles with boxes that this leaves unexplained."""

    def find(self, pixels: Image, boxes: Candidates, thresholds: tuple[float, float], tiles: bool) -> Candidates:
        """See `phq.detect.backends.protocols.Skeleton`."""
        sure_box, threshold = thresholds
        whole = self.look(pixels)
        if not tiles:
            return whole
        open_boxes = unexplained(boxes, whole.at(whole.scores >= threshold), sure_box)

        def shows_more(tile: Rect) -> bool:
            return bool((covered(open_boxes, np.array([tile], float)) > HELD).any())

        in_tiles, parts = look_at_tiles(pixels, self.look, shows_more)
        return united([whole, in_tiles]).with_parts(parts, threshold).distinct(MAX_IOU)
