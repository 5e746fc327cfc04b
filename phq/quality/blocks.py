"""How strongly the 8 × 8 blocks of a compressed photo show in the stored picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from phq.quality.exposure import grey
from phq.system.arrays import Floats, Image
from phq.system.linear import product

BLOCK = 8
"""Side of JPEG's blocks, photo pixels."""
STRONGEST = 12.0
"""Steps count up to this many grey levels: edges of things are larger, those of blocks hardly."""
FAINT = 0.5
"""Grey levels added to the steps inside blocks: on a plane as flat as this nothing shows."""
COARSEST = 2.5
"""Photo pixels per crop pixel from which a block is too small to be distinguished from detail, or to be visible."""


def blockiness(crop: Image, crop_to_source: Floats, photo_size: tuple[int, int]) -> float:
    """How much larger steps across block borders are than elsewhere, as a fraction: 0 none, from 1 on plainly visible.

    After Z. Wang, A. Bovik and B. Evans, "Blind measurement of blocking artifacts in images", ICIP 2000, in the pixels:
    the photo's grid of blocks is known, so steps between neighbours are averaged over its borders and over all other
    places. Where the photo was turned by its EXIF note the grid may begin at the far edge; both are tried. A photo that
    was resized after its compression has no such grid, and 0.

    Args:
        crop: H × W × 3 RGB.
        crop_to_source: 2×3 affine from crop to photo pixels, without rotation.
        photo_size: width and height of the upright photo.
    """
    image, affine = grey(crop), np.asarray(crop_to_source, np.float64).reshape(2, 3)
    scale = float(affine[0, 0])
    if scale >= COARSEST:
        return 0.0
    if scale < 1:
        side = max(2, round(len(image) * scale))
        image, scale = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), len(crop) * scale / side
    found = [_along(axis, image, scale, float(affine[axis, 2]), photo_size[axis]) for axis in (0, 1)]
    return max(0.0, float(np.mean(found)))


def _along(axis: int, image: NDArray[np.float32], scale: float, start: float, length: int) -> float:
    """Excess of the steps across borders along x (0) or y (1).

    Args:
        scale: photo pixels per pixel of `image`.
        start: photo position of its edge.
        length: of the photo.
    """
    steps = np.minimum(np.abs(np.diff(image, axis=1 - axis)), STRONGEST)
    place = start + scale * np.arange(1, image.shape[1 - axis])
    inside = (place > 1) & (place < length - 1)
    if np.count_nonzero(inside) < 2 * BLOCK / scale:
        return 0.0
    profile = steps.mean(axis, dtype=np.float64)[inside]
    return max(_excess(profile, place[inside] - origin, scale) for origin in {0, length % BLOCK})


def _excess(profile: Floats, place: Floats, scale: float) -> float:
    """Mean step within half a pixel of a border over the mean of all others, less 1."""
    off = np.abs((place + BLOCK / 2) % BLOCK - BLOCK / 2)
    border = np.clip(1 - off / max(scale, 1.0), 0, 1)
    other = (off > max(scale, 1.0)).astype(float)
    if not border.any() or not other.any():
        return 0.0
    across, within = (float(product(profile, weight) / weight.sum()) for weight in (border, other))
    return (across - within) / (within + FAINT)
