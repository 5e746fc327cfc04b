"""Overlapping tiles of a large photo, for people who are small in the whole of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from phq.detect.boxes import Boxes
from phq.detect.candidates import Candidates, united
from phq.work import Image

Rect = tuple[int, int, int, int]
OVERLAP = 0.2
TILE_FROM = 1000
"""Photos whose longer side is at most this are not tiled: who is small there gives no headshot anyway."""


def tile_rects(width: int, height: int) -> list[Rect]:
    """2 × 2 tiles with an overlap of 20 % of their side, as x0, y0, x1, y1; none for a small photo."""
    if max(width, height) <= TILE_FROM:
        return []
    tw, th = int(width * (1 + OVERLAP) / 2), int(height * (1 + OVERLAP) / 2)
    return [(x, y, x + tw, y + th) for y in (0, height - th) for x in (0, width - tw)]


def cut_by_tile(boxes: Boxes, rect: Rect, width: int, height: int) -> Any:
    """(N,) whether a box ends at a border of its tile that is not a border of the photo."""
    x0, y0, x1, y1 = rect
    slack = 0.02 * max(x1 - x0, y1 - y0)
    inner = np.array([x0 > 0, y0 > 0, x1 < width, y1 < height])
    reaches = np.concatenate([boxes[:, :2] < np.array([x0, y0]) + slack, boxes[:, 2:] > np.array([x1, y1]) - slack], 1)
    return (reaches & inner).any(-1)


def look_at_tiles(pixels: Image, look: Callable[[Image], Candidates]) -> tuple[Candidates, Candidates]:
    """(those wholly inside a tile, those a tile's border cuts), in pixels of the photo."""
    height, width = pixels.shape[:2]
    whole, cut = [], []
    for rect in tile_rects(width, height):
        x0, y0, x1, y1 = rect
        seen = look(pixels[y0:y1, x0:x1]).moved(x0, y0)
        partial = cut_by_tile(seen.boxes, rect, width, height)
        whole.append(seen.at(~partial))
        cut.append(seen.at(partial))
    return united(whole), united(cut)
