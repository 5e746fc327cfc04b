"""Perceptual hashes: of a stored image and of its mirror image, and of a whole photo."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from phq.system.arrays import Doubles, Image
from phq.system.elementary import cos
from phq.system.linear import product

SIDE = 32
KEPT = 8
PHOTO_SIDE = 64
PHOTO_KEPT = 16


def _cosines(kept: int, side: int) -> Doubles:
    """(kept, side) the DCT-II's lowest rows, unnormalised."""
    return np.asarray(2 * cos(np.pi / side * np.outer(np.arange(kept), np.arange(side) + 0.5)))


_COSINES, _PHOTO_COSINES = _cosines(KEPT, SIDE), _cosines(PHOTO_KEPT, PHOTO_SIDE)


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
    low = _lowest(crop, _COSINES)
    return np.packbits(low > np.median(low)).tobytes().hex()


def phash_mirror(crop: Image) -> str:
    """`phash` of the image mirrored left to right."""
    return phash(np.ascontiguousarray(crop[:, ::-1]))


def photo_phash(photo: Image) -> str:
    """256-bit DCT hash as 64 hex digits: 64 × 64 grey, DCT-II, signs of the lowest 16 × 16 coefficients.

    The lowest 8 × 8 come first, row by row, then the rest of each row. A set bit is a positive coefficient. The mirror
    image of a photo has the other sign in every odd column, so it needs no hash of its own (`phq.decisions.copies`).

    Args:
        photo: H × W × 3 RGB.
    """
    positive = _lowest(photo, _PHOTO_COSINES) > 0
    return np.packbits(photo_bits(positive)).tobytes().hex()


def photo_bits(coefficients: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(256,) of 16 × 16 in the order of `photo_phash`."""
    low = np.zeros((PHOTO_KEPT, PHOTO_KEPT), bool)
    low[:KEPT, :KEPT] = True
    return np.concatenate([coefficients[low], coefficients[~low]])


def _lowest(picture: Image, cosines: Doubles) -> Doubles:
    """Lowest coefficients of the picture's DCT-II, of a grey square as wide as the cosines."""
    side = cosines.shape[1]
    small = cv2.resize(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (side, side), interpolation=cv2.INTER_AREA)
    # three decimals: the coefficients of a flat image are rounding errors and must compare as zeros
    return product(cosines, small.astype(np.float64), cosines.T).round(3)
