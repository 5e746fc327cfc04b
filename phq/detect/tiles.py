"""Overlapping tiles of a large photo, for people too small in the whole photo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from phq.detect.boxes import Boxes, covered
from phq.detect.candidates import Candidates, united
from phq.system.arrays import Image

Rect = tuple[int, int, int, int]
OVERLAP = 0.2
"""By how much the tiles along a side are longer together than the side, fraction of it."""
TILE_FROM = 1100
"""Sides up to this are not divided: people too small for a look at so many pixels give no headshot anyway."""
FILLED = 0.8
"""Fraction of a tile inside one believed person's box from which it can show nobody else."""


def tile_rects(width: int, height: int) -> list[Rect]:
    """Overlapping tiles as x0, y0, x1, y1; none for a small photo.

    Two along a long side, more along that of a panorama, so that tiles are nearly square: NanoDet stretches what it
    sees to a square, and misses people squeezed to a fraction of their width. Of a panorama that is high as well, each
    comes over its whole short side too.
    """
    if max(width, height) <= TILE_FROM:
        return []
    return [(x0, y0, x1, y1) for y0, y1 in _spans(height, width) for x0, x1 in _spans(width, height)]


def _spans(side: int, other: int) -> list[tuple[int, int]]:
    """Begin and end of the tiles along one side of a photo."""
    if side <= TILE_FROM:
        return [(0, side)]
    number = max(2, -(-side // other))
    length = int(side * (1 + OVERLAP) / number)
    starts = [i * (side - length) // (number - 1) for i in range(number)]
    whole = [(0, side)] if other > 2 * side else []
    return whole + [(start, start + length) for start in starts]


def cut_by_tile(boxes: Boxes, rect: Rect, width: int, height: int) -> Any:
    """(N,) whether a box ends at a border of its tile that is not a border of the photo."""
    x0, y0, x1, y1 = rect
    slack = 0.02 * max(x1 - x0, y1 - y0)
    inner = np.array([x0 > 0, y0 > 0, x1 < width, y1 < height])
    reaches = np.concatenate([boxes[:, :2] < np.array([x0, y0]) + slack, boxes[:, 2:] > np.array([x1, y1]) - slack], 1)
    return (reaches & inner).any(-1)


def look_at_tiles(
    pixels: Image, look: Callable[[Image], Candidates], worth: Callable[[Rect], bool] = lambda _: True
) -> tuple[Candidates, Candidates]:
    """(those wholly inside a tile, those a tile's border cuts), in pixels of the photo, from the tiles worth a look."""
    height, width = pixels.shape[:2]
    whole, cut = [], []
    for rect in filter(worth, tile_rects(width, height)):
        x0, y0, x1, y1 = rect
        seen = look(pixels[y0:y1, x0:x1]).moved(x0, y0)
        partial = cut_by_tile(seen.boxes, rect, width, height)
        whole.append(seen.at(~partial))
        cut.append(seen.at(partial))
    return united(whole), united(cut)


def look_closer(
    pixels: Image, whole: Candidates, look: Callable[[Image], Candidates], threshold: float, max_iou: float
) -> Candidates:
    """What a look at the whole photo found and what looks at its tiles add, best first; a tile that one person fills
    (`FILLED`) is left out.

    Args:
        threshold: score from which a candidate is believed.
        max_iou: of two boxes that are two people.
    """
    people = whole.boxes[whole.scores >= threshold]

    def shows_others(tile: Rect) -> bool:
        return bool((covered(np.array([tile], float), people) < FILLED).all())

    in_tiles, parts = look_at_tiles(pixels, look, shows_others)
    return united([whole, in_tiles]).with_parts(parts, threshold).distinct(max_iou)


def look_everywhere(
    pictures: Sequence[Image], look: Callable[[Image], Candidates], threshold: float, tiles: bool, max_iou: float
) -> list[Candidates]:
    """`look` at each picture and, with `tiles`, at the tiles of the large ones; see `look_closer`."""
    found = [look(pixels) for pixels in pictures]
    if not tiles:
        return found
    return [look_closer(p, whole, look, threshold, max_iou) for p, whole in zip(pictures, found, strict=True)]
