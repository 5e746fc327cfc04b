"""The second sign of a duplicate: colours and landmarks, in place of the hash alone.

64 bits of a hash are the same, or nearly so, for one pair of strangers in some ten thousand who are photographed alike,
and a dataset has as many pairs as the square of its samples. Two pictures are of one photo only if head, clothes and
background have the same colours too, and the landmarks are at the same places of the crop.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phq.quality.appearance import MIRRORED, REGIONS
from phq.schema import LANDMARKS
from phq.system.arrays import Bools, Doubles, Floats, Ints, Rows, Singles

UPPER = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "mouth_left", "mouth_right", "left_shoulder",
    "right_shoulder",
)  # fmt: skip
"""Landmarks that a headshot shows."""
NUMBERS = 2 * len(UPPER)
COLOUR = 6.5
"""Largest distance of a region's mean colours in L*a*b*: crops, re-encodings and turns of one photo stay below."""
SPREAD = 8.5
"""Largest distance of the colours' standard deviations."""
PLACE = 0.08
"""Largest root mean square distance of the landmarks, fraction of the crop's side."""
SURE_BITS = 10
"""Bits between the hashes from which on the limits shrink: they are divided by the bits over this."""
CLEAR = 1.3
"""Factor that the limit of colour grows to where the hashes are nearer, by the same rule: copies that were coloured or
cut anew. Of 5.6 million pairs of real people from two collections, those within it are the same photo, looked at."""
GREY = 4.0
"""Chroma below which a picture has no colours to agree in."""
FLAT = 4.0
"""Standard deviation of L* below which a background proves nothing: every studio has a plain wall."""
FEW = 0.5
"""Factor of the limits of colour where fewer than three regions say anything, both pictures are grey, or there are no
landmarks to agree too."""
_ROWS = [LANDMARKS.index(name) for name in UPPER]
_SWAPPED = [0, 2, 1, 4, 3, 6, 5, 8, 7]
"""Landmark of the mirror image that is a landmark of the image."""
_TURN, _SHIFT = np.array([-1, 1], np.float32), np.array([1, 0], np.float32)
"""x of the mirror image is 1 − x."""
_PIECE = 1 << 16
"""Pairs compared at a time; bounds the memory to some tens of MB."""


def upper_landmarks(keypoints: Doubles, crop_to_source: Doubles, image_size: Doubles) -> Singles:
    """(N, 18) x, y of `UPPER` in fractions of the crop's side; NaN where there is no crop or no landmark.

    Args:
        keypoints: (N, 66) ``keypoints_2d``, photo pixels, zeros where there are none.
        crop_to_source: (N, 6) 2×3 affine row-major, zeros where there is none.
        image_size: (N,) side of the crop, crop pixels, 0 where there is none.
    """
    points = keypoints.reshape(-1, len(LANDMARKS), 2)[:, _ROWS]
    affine = crop_to_source.reshape(-1, 2, 3)
    known = (np.abs(np.linalg.det(affine[:, :, :2])) > 0) & (image_size > 0) & points.any((1, 2))
    found = np.full(points.shape, np.nan, np.float32)
    inverse = np.linalg.inv(affine[known, :, :2])
    inside = np.einsum("nij,nkj->nki", inverse, points[known] - affine[known, None, :, 2])
    found[known] = inside / image_size[known, None, None]
    return np.asarray(found.reshape(-1, NUMBERS))


@dataclass(frozen=True)
class Signs:
    """Colours and landmarks of N samples."""

    looks: Floats
    """(N, regions, 6) of `phq.quality.appearance`."""
    points: Floats
    """(N, 9, 2) of `upper_landmarks`."""

    @staticmethod
    def of(appearance: Floats, landmarks: Floats) -> Signs:
        """Of (N, 24) and (N, 18) numbers, which may lie on a disk: only rows that are compared are read."""
        return Signs(appearance.reshape(-1, len(REGIONS), 6), landmarks.reshape(-1, len(UPPER), 2))

    def agree(self, one: Rows, other: Rows, bits: Ints, mirrored: bool) -> Bools:
        """(M,) whether both signs of M pairs agree.

        Args:
            one: (M,) rows.
            other: (M,) rows.
            bits: (M,) between the hashes of each pair.
            mirrored: compare one with the mirror image of the other.
        """
        found = np.empty(len(one), bool)
        for start in range(0, len(one), _PIECE):
            part = slice(start, start + _PIECE)
            found[part] = self._agree(one[part], other[part], bits[part], mirrored)
        return found

    def _agree(self, one: Rows, other: Rows, bits: Ints, mirrored: bool) -> Bools:
        scale = SURE_BITS / np.maximum(bits, 1)
        colour, place = self.apart(one, other, mirrored)
        return np.asarray((colour <= np.minimum(CLEAR, scale)) & (place <= PLACE * np.minimum(1.0, scale)))

    def apart(self, one: Rows, other: Rows, mirrored: bool) -> tuple[Singles, Singles]:
        """(M,) distance of colours in units of what is allowed, ∞ where nothing can be compared, and of landmarks.

        Where one has no landmarks, they do not differ, and colours must agree as if there were few (`FEW`).
        """
        a, b = (self.looks[rows].astype(np.float32) for rows in (one, other))
        p, q = (self.points[rows].astype(np.float32) for rows in (one, other))
        if mirrored:
            b, q = b[:, MIRRORED], q[:, _SWAPPED] * _TURN + _SHIFT
        with np.errstate(invalid="ignore"):
            place = np.sqrt(((p - q) ** 2).sum(-1).mean(-1))
        unknown = ~np.isfinite(place)
        return _colours_apart(a, b, unknown), np.where(unknown, np.float32(0), place)


def _colours_apart(a: Singles, b: Singles, alone: Bools) -> Singles:
    """(M,) largest distance of mean or spread of any region that both have, in units of what is allowed.

    Args:
        a: (M, regions, 6).
        b: (M, regions, 6).
        alone: (M,) whether colours are the only sign.
    """
    off = (a - b) ** 2
    apart = np.sqrt(np.maximum(off[..., :3].sum(-1) / COLOUR**2, off[..., 3:].sum(-1) / SPREAD**2))
    both = a.any(-1) & b.any(-1)
    largest = np.where(both, apart, 0).max(-1)
    plain = (a[..., 3] < FLAT) & (b[..., 3] < FLAT)
    plain[:, :2] = False  # head and clothes are somebody's own, plain or not
    grey = np.maximum(np.abs(a[..., 1:3]), np.abs(b[..., 1:3])).max((-2, -1)) < GREY
    few = ((both & ~plain).sum(-1) < 3) | grey | alone
    return np.where(both.any(-1), largest / np.where(few, np.float32(FEW), np.float32(1)), np.float32(np.inf))
