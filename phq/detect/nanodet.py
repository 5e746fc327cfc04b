"""NanoDet (COCO-80) as a person detector, on the whole photo and on overlapping tiles of a large one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from phq.detect.boxes import Boxes, holds_middle, iou
from phq.detect.candidates import Candidates, united
from phq.detect.fuse import LAST_RESORT, SAME
from phq.detect.imagenet import normalised
from phq.detect.tiles import look_closer
from phq.photos.shrink import resized_by_area
from phq.system.arrays import Image
from phq.system.elementary import exp
from phq.system.linear import product
from phq.system.resources import Resources
from phq.weights.devices import open_session
from phq.weights.embedded import Weight, embedded

SIDE = 416
STRIDES = (8, 16, 32)
BINS = 11
MAX_IOU = 0.55
WEAK = 0.18
"""Score of the weakest candidates; `phq.detect.fuse` decides which of them are people."""
SURE = 0.6
"""Score from which the second look, with a margin, is not needed."""
MARGIN = 0.25
"""Width of that margin on each side, fraction of the photo's side."""
WIDE_MARGINS = (0.75, 1.5)
"""Widths of the margins of two more looks, if no believed box holds the middle of the photo: the network has learned
people in scenes, and a headshot of a back or a profile is found once it is small (docs/log.md)."""


def to_input(pixels: Image, margin: float = 0.0) -> tuple[np.ndarray[Any, np.dtype[np.float32]], int, int]:
    """H × W × 3 RGB to 1 × 3 × 416 × 416, stretched (not letterboxed: that is how the network was exported).

    Args:
        margin: width of a grey margin on each side, fraction of the picture's side.

    Returns:
        the input, and in it the first row and column of the picture and its side.
    """
    side = round(SIDE / (1 + 2 * margin))
    first = (SIDE - side) // 2
    rest = SIDE - side - first
    small = resized_by_area(pixels, side, side)
    framed = cv2.copyMakeBorder(small, first, rest, first, rest, cv2.BORDER_CONSTANT, value=(128, 128, 128))
    return normalised(np.asarray(framed, np.uint8)), first, side


def decode_level(scores: Boxes, sides: Boxes, stride: int, threshold: float) -> tuple[Boxes, Boxes]:
    """Person boxes of one feature level, in pixels of the 416² input.

    Each side of a box is a distribution over 11 bins; its expectation × stride is the distance from the cell's
    centre (generalized focal loss, Li et al. 2020).

    Args:
        scores: (cells, 1) score of a person in 0..1.
        sides: (cells, 44) logits, 4 sides × 11 bins.

    Returns:
        (N, 4) boxes and (N,) scores above the threshold.
    """
    cells = SIDE // stride
    keep = np.flatnonzero(scores[:, 0] > threshold)
    logits = sides[keep].reshape(-1, 4, BINS)
    weights = exp(logits - logits.max(-1, keepdims=True))
    distance = product(weights / weights.sum(-1, keepdims=True), np.arange(BINS)) * stride
    centre = np.stack([keep % cells + 0.5, keep // cells + 0.5], -1) * stride
    return np.concatenate([centre - distance[:, :2], centre + distance[:, 2:]], -1), scores[keep, 0]


def confirmed(candidates: Candidates, wide: Candidates, least: float) -> Candidates:
    """Candidates and those of wide looks: a box of the same person lends its score, since closer looks box better.

    Args:
        candidates: of closer looks.
        wide: of wide looks.
        least: score from which a closer candidate keeps its box.
    """
    same = (iou(candidates.boxes, wide.boxes) > SAME) & (candidates.scores >= least)[:, None]
    scores = np.maximum(candidates.scores, np.where(same, wide.scores, 0.0).max(1, initial=0.0))
    return united([replace(candidates, scores=scores), wide.at(~same.any(0))])


class NanoDet:
    """`detect(pictures, threshold, tiles)` → `Candidates` from `WEAK` up.

    Looks at a photo: the whole of it; the whole with a margin round it, if the first look was not sure of any person
    (a person who fills the frame is larger than the network's training people); with wide margins, if the middle of
    the photo is still unexplained, for a box that holds it; tiles of a large photo.
    """

    name = "nanodet"

    threshold = 0.4
    wants = Resources(memory=100 << 20)

    def __init__(self, weights: str = "") -> None:
        self.session = open_session(self.weights(weights)[0].name)
        self._by_shape = {tuple(o.shape[1:]): o.name for o in self.session.get_outputs()}

    @classmethod
    def weights(cls, weights: str = "") -> tuple[Weight, ...]:
        """The embedded network; there is but one."""
        return (embedded("nanodet", weights),)

    def detect(self, pictures: Sequence[Image], threshold: float, tiles: bool) -> list[Candidates]:
        """See `phq.detect.backends.protocols.Detector`; boxes may reach beyond the photo."""
        return [self._detect(pixels, threshold, tiles) for pixels in pictures]

    def _detect(self, pixels: Image, threshold: float, tiles: bool) -> Candidates:
        whole = self._whole(pixels, threshold)
        return look_closer(pixels, whole, self._look, threshold, MAX_IOU) if tiles else whole.distinct(MAX_IOU)

    def _whole(self, pixels: Image, threshold: float) -> Candidates:
        height, width = pixels.shape[:2]
        candidates = self._look(pixels)
        if candidates.scores.max(initial=0) < SURE:
            candidates = united([candidates, self._look(pixels, MARGIN)]).distinct(MAX_IOU)
        if not holds_middle(candidates.boxes[candidates.scores >= threshold], width, height).any():
            wide = united([self._look(pixels, margin) for margin in WIDE_MARGINS])
            central = wide.at(holds_middle(wide.boxes, width, height))
            candidates = confirmed(candidates, central, LAST_RESORT * threshold).distinct(MAX_IOU)
        return candidates

    def _look(self, pixels: Image, margin: float = 0.0) -> Candidates:
        """One look at a picture, with a grey margin (see `to_input`)."""
        names = [self._by_shape[(SIDE // s) ** 2, n] for s in STRIDES for n in (1, 4 * BINS)]
        shown, first, side = to_input(pixels, margin)
        out = self.session.run(names, {"input_1:0": shown})
        levels = [decode_level(out[2 * i][0], out[2 * i + 1][0], s, WEAK) for i, s in enumerate(STRIDES)]
        boxes, scores = (np.concatenate(part) for part in zip(*levels, strict=True))
        scale = np.array([pixels.shape[1], pixels.shape[0]] * 2) / side
        return Candidates.of((boxes - first) * scale, scores).distinct(MAX_IOU)
