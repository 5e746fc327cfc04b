"""Rotated square regions of a photo, and their resampling for a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from phq.system.arrays import Floats, Image
from phq.system.elementary import sin_cos
from phq.system.linear import inverse, product


@dataclass(frozen=True)
class Region:
    """A square: centre and side in photo pixels; `angle` in radians turns its up axis clockwise in the picture."""

    cx: float
    cy: float
    side: float
    angle: float = 0.0

    def to_photo(self, size: int) -> Floats:
        """2×3 affine from pixels of the size × size sample to photo pixels."""
        sin, cos = sin_cos(self.angle)
        turn = np.array([[cos, -sin], [sin, cos]]) * (self.side / size)
        return np.column_stack([turn, [self.cx, self.cy] - product(turn, [size / 2, size / 2])])


def apply_affine(affine: Floats, points: Floats) -> Floats:
    """(…, 2) points through a 2×3 affine."""
    return np.asarray(product(points, affine[:, :2].T) + affine[:, 2])


def invert_affine(affine: Floats) -> Floats:
    """Inverse of a 2×3 affine."""
    linear = inverse(affine[:, :2])
    return np.column_stack([linear, product(-linear, affine[:, 2])])


def between_centres(affine: Floats) -> Floats:
    """The affine between pixel *indices* (OpenCV: 0 is the centre of the first pixel) of one between positions."""
    return np.column_stack([affine[:, :2], affine[:, 2] + product(affine[:, :2], [0.5, 0.5]) - 0.5])


def sample(pixels: Image, region: Region, size: int) -> Image:
    """size × size × 3 resampling of a region, black beyond the photo.

    Shrinking by more than two is done by area first: bilinear sampling alone would alias and the landmarks jitter.
    Only the part round the region is warped, since OpenCV refuses pictures from 32,767 pixels a side.
    """
    affine = region.to_photo(size)
    shrink = max(1, int(region.side / size))
    reach = max(region.side * 0.75, region.side * 0.5**0.5 + 2)  # half the diagonal, rounded up; neighbours
    x0, y0 = (int(max(0, v - reach)) for v in (region.cx, region.cy))
    x1, y1 = (int(min(limit, v + reach)) for v, limit in zip((region.cx, region.cy), pixels.shape[1::-1], strict=True))
    if x1 - x0 < shrink or y1 - y0 < shrink:
        return np.zeros((size, size, 3), np.uint8)
    width, height = (x1 - x0) // shrink, (y1 - y0) // shrink
    part = pixels[y0 : y0 + height * shrink, x0 : x0 + width * shrink]
    small = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA) if shrink > 1 else part
    return _warp(small, np.column_stack([affine[:, :2], affine[:, 2] - [x0, y0]]) / shrink, size)


def _warp(pixels: Image, affine: Floats, size: int) -> Image:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(pixels, between_centres(affine), (size, size), flags=flags), np.uint8)


def warp_soft(values: NDArray[np.float32], affine: Floats, width: int, height: int) -> NDArray[np.float32]:
    """Soft mask (h × w) onto a width × height canvas; `affine` leads from canvas positions to mask positions."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped: Any = cv2.warpAffine(values, between_centres(affine), (width, height), flags=flags)
    return np.asarray(warped, np.float32)
