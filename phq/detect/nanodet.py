"""NanoDet (COCO-80) as a person detector, on the whole photo and on overlapping tiles of a large one."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from phq.detect.boxes import Boxes, covered, nms
from phq.weights import open_session
from phq.work import Image

SIDE = 416
STRIDES = (8, 16, 32)
BINS = 11
MEAN = np.array([123.675, 116.28, 103.53], np.float32)
STD = np.array([58.395, 57.12, 57.375], np.float32)
MAX_IOU = 0.55
WEAK = 0.25
"""Score from which a box of the whole photo is kept in mind; see `NanoDet.detect`."""
SURE = 0.6
"""Score from which the second look, with a margin, is not needed."""
MARGIN = 0.25
"""Width of that margin on each side, fraction of the photo's side."""
PART_INSIDE = 0.6
"""Fraction of a cut box that must lie in a whole one to be a part of the same person."""
TILE_OVERLAP = 0.2
TILE_FROM = 640
"""Photos whose longer side is at most this are not tiled: the network's input would only magnify them."""


def to_input(pixels: Image) -> np.ndarray[Any, np.dtype[np.float32]]:
    """H × W × 3 RGB to 1 × 3 × 416 × 416, stretched (not letterboxed: that is how the network was exported)."""
    shrink = max(pixels.shape[:2]) > SIDE
    small = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR)
    return np.ascontiguousarray(((small - MEAN) / STD).transpose(2, 0, 1)[None], dtype=np.float32)


def decode_level(scores: Boxes, sides: Boxes, stride: int, threshold: float) -> tuple[Boxes, Boxes]:
    """Person boxes of one feature level, in pixels of the 416² input.

    Each side of a box is a distribution over 11 bins; its expectation × stride is the distance from the cell's
    centre (generalized focal loss, Li et al. 2020).

    Args:
        scores: (cells, 80) class scores in 0..1. sides: (cells, 44) logits, 4 sides × 11 bins.

    Returns:
        (N, 4) boxes and (N,) scores above the threshold.
    """
    cells = SIDE // stride
    keep = np.flatnonzero(scores[:, 0] > threshold)
    logits = sides[keep].reshape(-1, 4, BINS)
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    distance = (weights / weights.sum(-1, keepdims=True)) @ np.arange(BINS) * stride
    centre = np.stack([keep % cells + 0.5, keep // cells + 0.5], -1) * stride
    return np.concatenate([centre - distance[:, :2], centre + distance[:, 2:]], -1), scores[keep, 0]


def tile_rects(width: int, height: int) -> list[tuple[int, int, int, int]]:
    """2 × 2 tiles with an overlap of 20 % of their side, as x0, y0, x1, y1; none for a small photo."""
    if max(width, height) <= TILE_FROM:
        return []
    tw, th = int(width * (1 + TILE_OVERLAP) / 2), int(height * (1 + TILE_OVERLAP) / 2)
    return [(x, y, x + tw, y + th) for y in (0, height - th) for x in (0, width - tw)]


def cut_by_tile(boxes: Boxes, rect: tuple[int, int, int, int], width: int, height: int) -> Any:
    """(N,) whether a box ends at a border of its tile that is not a border of the photo."""
    x0, y0, x1, y1 = rect
    slack = 0.02 * max(x1 - x0, y1 - y0)
    inner = np.array([x0 > 0, y0 > 0, x1 < width, y1 < height])
    touches = np.abs(boxes - np.array(rect)) < slack
    return (touches & inner).any(-1)


class NanoDet:
    """`detect(pixels)` → (N, 4) person boxes in pixels and (N,) scores.

    Three looks at a photo: the whole of it; the whole with a margin round it, if the first look was not sure of
    anybody (a person who fills the frame is larger than the network's training people); tiles of a large photo.
    """

    name = "nanodet"

    def __init__(self, threshold: float, tiles: bool = True) -> None:
        self.threshold = threshold
        self.tiles = tiles
        self.session = open_session("nanodet")
        self._by_shape = {tuple(o.shape[1:]): o.name for o in self.session.get_outputs()}

    def detect(self, pixels: Image) -> tuple[Boxes, Boxes]:
        """Boxes above the threshold, best first; they may reach beyond the photo.

        Two thresholds, as in an edge detector: a weak box of the whole photo is believed if a sure box of a tile
        lies in it, or if there is nobody else.
        """
        height, width = pixels.shape[:2]
        whole = self._whole(pixels)
        tiles = [self._tile(pixels, rect) for rect in (tile_rects(width, height) if self.tiles else [])]
        parts = _stack([part for _, part in tiles])
        boxes, scores = _raise_by_parts(*whole, *parts)
        sure = scores >= self.threshold
        found = _stack([(boxes[sure], scores[sure]), *(full for full, _ in tiles)])
        orphans = _uncovered(*parts, found[0])
        boxes, scores = _stack([found, orphans]) if len(found[0]) or len(orphans[0]) else _best(*whole)
        kept = nms(boxes, scores, MAX_IOU)
        return boxes[kept], scores[kept]

    def _whole(self, pixels: Image) -> tuple[Boxes, Boxes]:
        height, width = pixels.shape[:2]
        seen = self._region(pixels, WEAK)
        if len(seen[1]) and seen[1].max() >= SURE:
            return seen
        my, mx = int(height * MARGIN), int(width * MARGIN)
        framed = cv2.copyMakeBorder(pixels, my, my, mx, mx, cv2.BORDER_CONSTANT, value=(128, 128, 128))
        boxes, scores = self._region(framed, WEAK)
        both = _stack([seen, (boxes - [mx, my, mx, my], scores)])
        kept = nms(*both, MAX_IOU)
        return both[0][kept], both[1][kept]

    def _tile(
        self, pixels: Image, rect: tuple[int, int, int, int]
    ) -> tuple[tuple[Boxes, Boxes], tuple[Boxes, Boxes]]:
        """Boxes of a tile, those wholly in it and those its border cuts."""
        x0, y0, x1, y1 = rect
        boxes, scores = self._region(pixels[y0:y1, x0:x1], self.threshold)
        boxes = boxes + [x0, y0, x0, y0]
        cut = cut_by_tile(boxes, rect, pixels.shape[1], pixels.shape[0])
        return (boxes[~cut], scores[~cut]), (boxes[cut], scores[cut])

    def _region(self, pixels: Image, threshold: float) -> tuple[Boxes, Boxes]:
        names = [self._by_shape[(SIDE // s) ** 2, n] for s in STRIDES for n in (80, 4 * BINS)]
        out = self.session.run(names, {"input_1:0": to_input(pixels)})
        levels = [decode_level(out[2 * i][0], out[2 * i + 1][0], s, threshold) for i, s in enumerate(STRIDES)]
        boxes, scores = (np.concatenate(part) for part in zip(*levels, strict=True))
        kept = nms(boxes, scores, MAX_IOU)
        scale = np.array([pixels.shape[1], pixels.shape[0]] * 2) / SIDE
        return boxes[kept] * scale, scores[kept].astype(np.float64)


def _stack(pairs: list[tuple[Boxes, Boxes]]) -> tuple[Boxes, Boxes]:
    boxes = np.concatenate([np.zeros((0, 4)), *(b for b, _ in pairs)])
    return boxes, np.concatenate([np.zeros(0), *(s for _, s in pairs)])


def _raise_by_parts(boxes: Boxes, scores: Boxes, parts: Boxes, part_scores: Boxes) -> tuple[Boxes, Boxes]:
    """A whole box scores at least what the surest part in it scored."""
    inside = covered(parts, boxes) > PART_INSIDE
    return boxes, np.maximum(scores, np.where(inside, part_scores[:, None], 0).max(0, initial=0))


def _uncovered(parts: Boxes, scores: Boxes, boxes: Boxes) -> tuple[Boxes, Boxes]:
    """Parts that no accepted box explains: a person whom only a tile could see."""
    free = ~(covered(parts, boxes) > PART_INSIDE).any(-1)
    return parts[free], scores[free]


def _best(boxes: Boxes, scores: Boxes) -> tuple[Boxes, Boxes]:
    best = np.argsort(-scores, kind="stable")[:1]
    return boxes[best], scores[best]
