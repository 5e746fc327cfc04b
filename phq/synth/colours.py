"""Colours as sRGB in 0..1."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phq.system.arrays import Doubles, Floats, Singles

Colour = tuple[float, float, float]


def colour(values: ArrayLike) -> Colour:
    """Three numbers as a colour, cut off at 0 and 1."""
    red, green, blue = np.clip(np.asarray(values, np.float64), 0, 1).tolist()
    return red, green, blue


def wheel(hue: ArrayLike) -> Doubles:
    """(…, 3) the full colour of a hue (…), of which 1 is once round."""
    return np.asarray(0.5 + 0.5 * np.cos(2 * np.pi * (np.asarray(hue)[..., None] + np.array([0, 1 / 3, 2 / 3]))))


def mixed(ground: Floats | Colour, other: Floats | Colour, share: Floats | NDArray[np.bool_]) -> Singles:
    """(…, 3) between two colours (…, 3), by the share (…) of the other."""
    low, high = np.asarray(ground, np.float32), np.asarray(other, np.float32)
    return np.asarray(low + (high - low) * np.asarray(share, np.float32)[..., None])


class Coat:
    """Paint on N points, laid on layer by layer."""

    def __init__(self, ground: Floats | Colour, count: int) -> None:
        self.colour = np.array(np.broadcast_to(np.asarray(ground, np.float32), (count, 3)))

    def over(self, other: Floats | Colour, opacity: Floats) -> None:
        """Lay a colour over it with opacity (N,)."""
        self.colour = mixed(self.colour, other, opacity)

    def stain(self, tint: Floats, amount: Floats) -> None:
        """Multiply it by a tint (3,), as far as amount (N,) says."""
        self.colour = mixed(self.colour, self.colour * np.asarray(tint, np.float32), amount)
