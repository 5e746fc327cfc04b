"""A network of ultralytics as detector and as skeleton network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from phq.detect.backends.yolo.decode import KEYPOINTS, candidates
from phq.detect.backends.yolo.network import Network, weight_of
from phq.detect.boxes import covered
from phq.detect.candidates import Candidates, united
from phq.detect.movenet import HELD, unexplained
from phq.detect.tiles import Rect, cut_by_tile, tile_rects
from phq.errors import WeightError
from phq.system.arrays import Image
from phq.system.resources import Resources
from phq.weights.embedded import Weight

MAX_IOU = 0.6
WEAK = 0.1
"""Score from which a box is kept in mind; whether it is believed is for `phq.detect.fuse` to say."""
WANTS = Resources(memory=900 << 20)
"""PyTorch, ultralytics, and a network of ten million numbers with its layers."""


class YoloDetector:
    """`detect(pictures, threshold, tiles)` → `Candidates` from `WEAK` up, of weights for boxes, poses or masks.

    The whole photo, and tiles of a large one; with keypoints if the weights are a ``-pose`` network.
    """

    name = "yolo"

    threshold = 0.25
    """The package's own."""
    wants = WANTS

    def __init__(self, weights: str = "") -> None:
        self.network = Network(weight_of(weights or "yolo11n", "person boxes")[0], ("detect", "pose", "segment"))

    @classmethod
    def weights(cls, weights: str = "") -> tuple[Weight, ...]:
        """See `phq.detect.backends.protocols.Backend`."""
        return (weight_of(weights or "yolo11n", "person boxes")[1],)

    def detect(self, pictures: Sequence[Image], threshold: float, tiles: bool) -> list[Candidates]:
        """See `phq.detect.backends.protocols.Detector`."""
        rects = [tile_rects(picture.shape[1], picture.shape[0]) if tiles else [] for picture in pictures]
        wholes = look(self.network, pictures)
        tiled = [cut(picture, rect) for picture, own in zip(pictures, rects, strict=True) for rect in own]
        in_tiles = iter(look(self.network, tiled))
        seen = zip(pictures, rects, wholes, strict=True)
        return [put_together(p, whole, [(rect, next(in_tiles)) for rect in own], threshold) for p, own, whole in seen]


class YoloSkeleton:
    """`find(pixels, boxes, thresholds, tiles)` → `Candidates` with keypoints from `WEAK` up, of ``-pose`` weights.

    The whole photo; and of a large one the tiles that hold boxes which the first look does not explain.
    """

    name = "yolo"

    threshold = 0.25
    wants = WANTS

    def __init__(self, weights: str = "") -> None:
        path, _ = weight_of(weights or "yolo11n-pose", "person boxes and 17 keypoints")
        self.network = Network(path, ("pose",))
        if self.network.keypoints != KEYPOINTS:
            raise WeightError(f"{path} has keypoints of shape {self.network.keypoints}, not COCO's {KEYPOINTS}")

    @classmethod
    def weights(cls, weights: str = "") -> tuple[Weight, ...]:
        """See `phq.detect.backends.protocols.Backend`."""
        return (weight_of(weights or "yolo11n-pose", "person boxes and 17 keypoints")[1],)

    def find(self, pixels: Image, boxes: Candidates, thresholds: tuple[float, float], tiles: bool) -> Candidates:
        """See `phq.detect.backends.protocols.Skeleton`."""
        sure_box, threshold = thresholds
        whole = look(self.network, [pixels])[0]
        open_boxes = unexplained(boxes, whole.at(whole.scores >= threshold), sure_box)
        rects = [
            rect
            for rect in (tile_rects(pixels.shape[1], pixels.shape[0]) if tiles else [])
            if (covered(open_boxes, np.array([rect], float)) > HELD).any()
        ]
        in_tiles = look(self.network, [cut(pixels, rect) for rect in rects])
        return put_together(pixels, whole, list(zip(rects, in_tiles, strict=True)), threshold)


def look(network: Network, pictures: Sequence[Image]) -> list[Candidates]:
    """One look at each picture."""
    return [candidates(result).distinct(MAX_IOU) for result in network.look(pictures, WEAK)]


def cut(pixels: Image, rect: Rect) -> Image:
    """The pixels of a tile."""
    x0, y0, x1, y1 = rect
    return pixels[y0:y1, x0:x1]


def put_together(
    pixels: Image, whole: Candidates, in_tiles: Sequence[tuple[Rect, Candidates]], threshold: float
) -> Candidates:
    """What is seen in the whole photo and in its tiles, each in its own pixels; cut boxes are parts."""
    height, width = pixels.shape[:2]
    seen, parts = [whole], []
    for rect, found in in_tiles:
        moved = found.moved(rect[0], rect[1])
        partial = cut_by_tile(moved.boxes, rect, width, height)
        seen.append(moved.at(~partial))
        parts.append(moved.at(partial))
    return united(seen).with_parts(united(parts), threshold).distinct(MAX_IOU)
