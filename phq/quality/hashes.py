"""Perceptual hash of a stored image and of its mirror image."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from phq.system.arrays import Image
from phq.system.elementary import cos
from phq.system.linear import product

SIDE = 32
KEPT = 8
_COSINES = 2 * cos(np.pi / SIDE * np.outer(np.arange(KEPT), np.arange(SIDE) + 0.5))
"""(8, 32) the DCT-II's lowest rows, unnormalised."""


def phash(crop: Image) -> str:
    """64-bit DCT hash as 16 hex digits: 32 × 32 grey, DCT-II, lowest 8 × 8 coefficients against their median.

    The construction of pHash (C. Zauner, "Implementation and benchmarking of perceptual image hash
    functions", 2010) with the layout of the ImageHash package: row by row from the constant term, first bit
    highest. Half of the bits are set, so two hashes differ in an even number of bits. Re-encoding and
    resizing change at most a few.

    An image of one colour always hashes to ``8000000000000000`` (black to ``0000000000000000``), and nearly
    flat ones crowd round a few values: equal hashes of such images say nothing.

    Args:
        crop: H × W × 3 RGB, square, at least 32 × 32.
    """
    small = cv2.resize(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    # three decimals: the coefficients of a flat image are rounding errors and must compare as zeros
    low: NDArray[np.float64] = product(_COSINES, small.astype(np.float64), _COSINES.T).round(3)
    return np.packbits(low > np.median(low)).tobytes().hex()


def phash_mirror(crop: Image) -> str:
    """`phash` of the image mirrored left to right."""
    return phash(np.ascontiguousarray(crop[:, ::-1]))
