"""MoveNet MultiPose: up to six people with 17 COCO keypoints and a box each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from phq.detect.boxes import Boxes, covered, iou
from phq.detect.candidates import Candidates, united
from phq.detect.fuse import INSIDE, SAME
from phq.detect.tiles import Rect, look_at_tiles, tile_rects
from phq.photos.shrink import resized_by_area
from phq.system.arrays import Image
from phq.system.resources import Resources
from phq.weights.devices import open_session
from phq.weights.embedded import Weight, embedded

LONG_SIDE, COARSE_SIDE = 384, 256
"""Longer side of a picture as the network sees it; the coarse one for a photo with one large person, whom it scores
higher there and whose joints it places at least as well (docs/log.md), and for a photo with tiles, which are seen at
the fine one."""
LARGE = 0.4
"""Height from which a person is large, fraction of the photo's."""
MULTIPLE = 32
MAX_IOU = 0.45
WEAK = 0.1
"""Score of the weakest candidates; `phq.detect.fuse` decides which of them are people."""
HELD = 0.3
"""Fraction of a box that a tile must hold to show more of that person."""
SEEN = 0.4
"""Longer side of a box, fraction of the photo's, from which a tile shows no more of that person."""
_TABLE = np.arange(256, dtype=np.float32) * np.float32(0.007843017578125) - np.float32(1)
"""What each pixel value becomes, with the network's own constant for 1 / 127.5 in half precision."""


def to_input(pixels: Image, side: int) -> tuple[np.ndarray[Any, np.dtype[np.float32]], float]:
    """H × W × 3 RGB to 1 × 3 × h × w in −1..1 with this longer side, black right and below, and its scale."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = resized_by_area(pixels, *size)
    padded = [-(-s // MULTIPLE) * MULTIPLE for s in size]
    canvas = np.full((1, 3, padded[1], padded[0]), _TABLE[0])
    for plane, channel in zip(canvas[0], cv2.split(small), strict=True):
        plane[: size[1], : size[0]] = cv2.LUT(channel, _TABLE)
    return canvas, scale


def one_is_large(boxes: Candidates, height: int) -> bool:
    """Whether all of the detector's boxes are the best one or parts of it, and that is large.

    Args:
        boxes: best first.
        height: of the photo, pixels.
    """
    best = boxes.at(slice(0, 1))
    if not len(best) or best.boxes[0, 3] - best.boxes[0, 1] < LARGE * height:
        return False
    own = (iou(boxes.boxes, best.boxes) > SAME) | (covered(boxes.boxes, best.boxes) > INSIDE)
    return bool(own.all())


def decode(output: Boxes, canvas: tuple[int, int], scale: float) -> tuple[Boxes, Boxes, Boxes]:
    """Network output (6, 56) to photo pixels.

    Args:
        output: 17 × (y, x, score), then ymin, xmin, ymax, xmax, score, normalised to the padded canvas.
        canvas: height and width of the padded canvas, pixels.

    Returns:
        (6, 4) boxes, (6,) scores, (6, 17, 3) keypoints as x, y, score.
    """
    height, width = canvas
    keypoints = output[:, :51].reshape(-1, 17, 3)[..., [1, 0, 2]] * [width / scale, height / scale, 1]
    boxes = output[:, [52, 51, 54, 53]] * np.array([width, height, width, height]) / scale
    return boxes, output[:, 55].astype(np.float64), keypoints


def unexplained(boxes: Candidates, skeletons: Candidates, sure_box: float) -> Boxes:
    """(M, 4) boxes of another detector without a skeleton that explains them.

    A box is explained by a skeleton that overlaps it as one person's does, or, if it is less sure than `sure_box`, by
    one that holds it: then it is a part of that person.
    """
    same = (iou(boxes.boxes, skeletons.boxes) > SAME).any(1)
    part = (covered(boxes.boxes, skeletons.boxes) > INSIDE).any(1) & (boxes.scores < sure_box)
    return boxes.boxes[~same & ~part]


def look_where_unexplained(
    pixels: Image,
    look: Callable[[Image], Candidates],
    boxes: Candidates,
    thresholds: tuple[float, float],
    max_iou: float,
) -> Candidates:
    """People in the whole photo, and in those tiles of a large one that hold smaller boxes (`SEEN`) which the first
    look leaves unexplained; best first.

    Args:
        pixels: H × W × 3 RGB.
        look: one look at a picture.
        boxes: the detector's candidates.
        thresholds: of the detector and of this network.
        max_iou: largest overlap of two people's boxes.
    """
    sure_box, threshold = thresholds
    whole = look(pixels)
    open_boxes = unexplained(boxes, whole.at(whole.scores >= threshold), sure_box)
    sides = open_boxes[:, 2:] - open_boxes[:, :2]
    open_boxes = open_boxes[sides.max(1) < SEEN * max(pixels.shape[:2])]

    def shows_more(tile: Rect) -> bool:
        return bool((covered(open_boxes, np.array([tile], float)) > HELD).any())

    in_tiles, parts = look_at_tiles(pixels, look, shows_more)
    return united([whole, in_tiles]).with_parts(parts, threshold).distinct(max_iou)


class MoveNet:
    """`find(pixels, boxes, thresholds, tiles)` → `Candidates` with keypoints from `WEAK` up.

    The whole photo; and of a large one the tiles that hold boxes which the first look does not explain: hardly anyone
    is found by it alone in a tile alone (docs/log.md).
    """

    name = "movenet"

    threshold = 0.25
    wants = Resources(memory=100 << 20)

    def __init__(self, weights: str = "") -> None:
        self.session = open_session(self.weights(weights)[0].name)

    @classmethod
    def weights(cls, weights: str = "") -> tuple[Weight, ...]:
        """The embedded network; there is but one."""
        return (embedded("movenet", weights),)

    def find(self, pixels: Image, boxes: Candidates, thresholds: tuple[float, float], tiles: bool) -> Candidates:
        """See `phq.detect.backends.protocols.Skeleton`."""
        height, width = pixels.shape[:2]
        coarse = one_is_large(boxes, height) or (tiles and bool(tile_rects(width, height)))

        def look(part: Image) -> Candidates:
            return self.look(part, COARSE_SIDE if coarse and part is pixels else LONG_SIDE)

        if not tiles:
            return look(pixels).distinct(MAX_IOU)
        return look_where_unexplained(pixels, look, boxes, thresholds, MAX_IOU)

    def look(self, pixels: Image, side: int = LONG_SIDE) -> Candidates:
        """One look at a picture, shown with this longer side."""
        canvas, scale = to_input(pixels, side)
        output = self.session.run(None, {"input": canvas})[0][0]
        boxes, scores, keypoints = decode(output, canvas.shape[2:], scale)
        return Candidates.of(boxes, scores, keypoints).at(scores > WEAK)
