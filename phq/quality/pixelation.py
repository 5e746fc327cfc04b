"""Was the face pixelated? Published recordings hide faces under a grid of flat squares; to networks that is no face.

A grid shows as steps between neighbouring pixels at equal distances along x and along y, with hardly any between them.
Faces, hair and compression have no such thing, so the sign is nearly a proof that a face can be seen by whoever hid it.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from phq.photos.region import Region
from phq.system.arrays import Doubles, Floats, Image, Ints

PIXELATED = 0.85
"""`pixelation` from which a face was pixelated; docs/log.md has how often that is right."""
WINDOW = 1.7
"""Side of what is looked at, in sides of the square round the skull: the grid need not lie in the middle."""
LARGEST = 256
"""Side of the window from which it is shrunk by a whole factor, pixels."""
SPANS = (0.28, 0.41, 0.59)
"""Sides of the squares that are searched for a grid, in sides of the square round the skull."""
SHIFTS = (-0.17, 0.0, 0.17)
"""Their places right of and below the skull's middle, in the same unit."""
BESIDE = 0.65
"""So far to all sides no two corners may show a grid too: the whole picture would have been enlarged or compressed to
squares."""
SMALLEST_SQUARE, SMALLEST_CELL, FEWEST_CELLS = 16, 4.0, 2.6
"""Pixels a side of a square that is searched and of a cell; cells across a square."""
FINER, PHASE = 1.05, 0.5
"""Ratio of neighbouring cell sizes in the search; pixels between neighbouring places of the grid."""
LARGEST_STEP = 20
"""Grey levels that a step counts at most: edges of things are larger."""
FAINT = 0.7
"""Grey levels added to the steps between grid lines: on a surface as flat as this nothing shows."""
BEYOND = 2**30
"""In place of a line that a grid does not have."""
LUMA = np.array([77, 151, 28])
"""ITU-R BT.601 in parts of 256."""


def pixelation(pixels: Image, skull: Region) -> float:
    """How clearly a grid of flat squares covers the head: 0 not at all, from `PIXELATED` on surely.

    The weaker of the grid's lines (their lower quartile) less the mean step between lines, over the spread of those;
    the smaller of that along x and along y, in the square where it is clearest.

    Args:
        pixels: H × W × 3 RGB, the whole photo.
        skull: upright square round the skull, see `phq.pose.orient.crop.OrientationRegion`.
    """
    grey, centre, side = _window(pixels, skull)
    found = _clearest(grey, side, [centre + side * np.array([x, y]) for x in SHIFTS for y in SHIFTS], SPANS)
    if found < PIXELATED:
        return found
    corners = [centre + side * BESIDE * np.array([x, y]) for x in (-1, 1) for y in (-1, 1)]
    beside = sorted(_clearest(grey, side, [corner], SPANS[:2]) for corner in corners)
    return 0.0 if beside[-2] >= PIXELATED else found


def _clearest(grey: Ints, side: float, middles: list[Floats], spans: tuple[float, ...]) -> float:
    """The clearest grid in squares of some sides (of `side`) round some points, moved into the picture."""
    found = 0.0
    for span in (int(span * side) for span in spans):
        if SMALLEST_SQUARE <= span < min(grey.shape):
            limit = np.array(grey.shape[::-1]) - span
            corners = {tuple(np.clip(middle - span / 2, 0, limit).astype(int)) for middle in middles}
            squares = np.array([grey[y : y + span, x : x + span] for x, y in sorted(corners)])
            found = max(found, _grid(squares, found))
    return found


def _window(pixels: Image, region: Region) -> tuple[Ints, Floats, float]:
    """Luma round the middle of a region, shrunk where it is large; that middle in it, and the region's side."""
    reach, middle, size = WINDOW / 2 * region.side, np.array([region.cx, region.cy]), np.array(pixels.shape[1::-1])
    low, high = (np.clip(middle + way * reach, 0, size).astype(int) for way in (-1, 1))
    part = pixels[low[1] : high[1], low[0] : high[0]].astype(np.int64)
    factor = max(1, -(-int(2 * reach) // LARGEST))
    rows, columns = (n // factor for n in part.shape[:2])
    luma = ((part * LUMA).sum(-1) >> 8)[: rows * factor, : columns * factor]
    shrunk = luma.reshape(rows, factor, columns, factor).sum((1, 3)) // factor**2
    return shrunk, (middle - low) / factor, region.side / factor


def _grid(squares: Ints, least: float) -> float:
    """The clearest grid in (N, S, S) squares, if it is clearer than `least`; else 0."""
    down = _lines(_steps(squares, axis=2))
    likely = down > least
    return float(np.minimum(down[likely], _lines(_steps(squares[likely], axis=1))).max()) if likely.any() else 0.0


def _steps(squares: Ints, axis: int) -> Ints:
    """(N, S − 1) steps along an axis between neighbouring lines of pixels, summed over the lines."""
    return np.asarray(np.minimum(np.abs(np.diff(squares, axis=axis)), LARGEST_STEP).sum(3 - axis))


def _lines(steps: Ints) -> Doubles:
    """(N,) how clear the clearest equidistant lines are in (N, L) summed steps. Sums of integers are exact."""
    length = steps.shape[1]
    places, counts = _grids(length)
    padded = np.zeros((len(steps), length + 3), np.int64)  # one before the first, two behind the last
    padded[:, 1:-2] = steps
    near = np.stack([padded, padded * padded])
    near = near[..., :-2] + near[..., 1:-1] + near[..., 2:]  # of each step and both neighbours
    near[..., -1] = 0
    total = np.stack([steps, steps * steps]).sum(-1)
    between = length - 3 * counts
    mean, square = (total[..., None] - near.take(places, axis=-1).sum(-1)) / between
    low = _low(steps, places, counts)
    spread = np.sqrt(np.maximum(square - mean**2, 0))
    return np.asarray(((low - mean) / (spread + mean / 2 + FAINT * (length + 1))).max(1))


def _low(steps: Ints, places: Ints, counts: Ints) -> Ints:
    """(N, G) lower quartile of the steps at each grid's lines."""
    padded = np.full((len(steps), steps.shape[1] + 1), BEYOND, np.int32)
    padded[:, :-1] = steps
    at_lines = np.sort(padded.take(places, axis=1), axis=2)
    return np.asarray(at_lines[:, np.arange(len(counts)), counts // 4])


@cache
def _grids(length: int) -> tuple[Ints, Ints]:
    """Of every grid in so many steps: places of its lines (G, K), and their number; missing lines are at `length`.

    A grid has at least three.
    """
    number = np.arange(int(length / SMALLEST_CELL) + 2)
    size, found = SMALLEST_CELL, []
    while size <= length / FEWEST_CELLS:
        places = np.round(np.arange(0, size, PHASE)[:, None] + number * size).astype(np.int64) - 1
        inside = (places >= 1) & (places < length - 1)
        found.append(np.where(inside, places, length)[inside.sum(1) >= 3])
        size *= FINER
    every = np.sort(np.concatenate(found), axis=1)
    return every, (every < length).sum(1)
