"""Perceptual hashes: of a stored image and of its mirror image, and of a whole photo as it is and turned a little."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from phq.system.arrays import Doubles, Image
from phq.system.elementary import cos, sin
from phq.system.linear import product

SIDE = 32
KEPT = 8
PHOTO_SIDE = 64
PHOTO_KEPT = 16
PHOTO_DIGITS = 3 * PHOTO_KEPT**2 // 4
"""Hex digits of a photo's three hashes."""
TURN_DEG = 3.0
"""Turns of a photo that have hashes of their own, either way: with a hash's own reach, copies turned by 1 to 4°."""
_FINE = 2
"""Pixels of the grey picture that is turned, along each axis, to one of the hash's."""


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
    return phash(np.asarray(cv2.flip(crop, 1)))


def photo_phash(photo: Image) -> str:
    """Three 256-bit DCT hashes as 192 hex digits: of the photo, and of it turned by `TURN_DEG`.

    64 × 64 grey, DCT-II, signs of the lowest 16 × 16 coefficients; a set bit is a positive one. Of each hash the lowest
    8 × 8 come first, row by row, then the rest of each row. The mirror image of a photo has the other sign in every odd
    column, so it needs no hash of its own (`phq.decisions.copies`). The second hash is of the photo turned
    counter-clockwise, the third clockwise, each cut to the largest rectangle of the same aspect ratio that has no empty
    corners, as programs that straighten photos do.

    Args:
        photo: H × W × 3 RGB.
    """
    height, width = photo.shape[:2]
    fine = _small(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), _FINE * PHOTO_SIDE)
    turned = [_turned(fine, width / height, degrees) for degrees in (TURN_DEG, -TURN_DEG)]
    pictures = [fine.reshape(PHOTO_SIDE, _FINE, PHOTO_SIDE, _FINE).mean((1, 3)), *turned]
    return "".join(np.packbits(photo_bits(_low(grid, _PHOTO_COSINES) > 0)).tobytes().hex() for grid in pictures)


def _turned(fine: Doubles, aspect: float, degrees: float) -> Doubles:
    """(64, 64) what is left of a photo that was turned counter-clockwise and cut.

    Args:
        fine: (128, 128) of the photo, brought to a square.
        aspect: width over height of the photo.
        degrees: angle.
    """
    c, s = float(cos(np.deg2rad(degrees))), float(sin(np.deg2rad(degrees)))
    zoom = 1 / (c + max(aspect, 1 / aspect) * abs(s))
    y, x = ((np.indices((PHOTO_SIDE, PHOTO_SIDE)) + 0.5) / PHOTO_SIDE - 0.5) * zoom
    places = (c * x - s / aspect * y, s * aspect * x + c * y)  # fractions of width and height, from the middle
    along, down = (np.clip((place + 0.5) * len(fine) - 0.5, 0, len(fine) - 1) for place in places)
    left, top = (np.minimum(place.astype(np.int64), len(fine) - 2) for place in (along, down))
    right, low = along - left, down - top
    upper = fine[top, left] * (1 - right) + fine[top, left + 1] * right
    lower = fine[top + 1, left] * (1 - right) + fine[top + 1, left + 1] * right
    return np.asarray(upper * (1 - low) + lower * low)


def photo_bits(coefficients: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(256,) of 16 × 16 in the order of `photo_phash`."""
    low = np.zeros((PHOTO_KEPT, PHOTO_KEPT), bool)
    low[:KEPT, :KEPT] = True
    return np.concatenate([coefficients[low], coefficients[~low]])


def _lowest(picture: Image, cosines: Doubles) -> Doubles:
    """Lowest coefficients of the picture's DCT-II, of a grey square as wide as the cosines."""
    return _low(_small(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cosines.shape[1]), cosines)


def _small(grey: Image, side: int) -> Doubles:
    return np.asarray(cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA), np.float64)


def _low(square: Doubles, cosines: Doubles) -> Doubles:
    # three decimals: the coefficients of a flat image are rounding errors and must compare as zeros
    return product(cosines, square, cosines.T).round(3)
