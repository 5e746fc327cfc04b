"""Smooth noise that fills space: strands, curls, freckles, cloth."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import map_coordinates

from phq.system.arrays import Doubles, Floats, Singles

PERIOD = 16


class Noise:
    """Value noise: random numbers at the points of a lattice, linear between them, repeating every `PERIOD` units."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.lattice = rng.uniform(-1, 1, (PERIOD, PERIOD, PERIOD)).astype(np.float32)

    def __call__(self, points: Floats, frequency: float) -> Singles:
        """Values (…) in −1..1 at points (…, 3); `frequency` in lattice units for a unit of theirs."""
        units = np.moveaxis(np.asarray(points, np.float32) * np.float32(frequency), -1, 0)
        return np.asarray(map_coordinates(self.lattice, units, order=1, mode="grid-wrap"), np.float32)


def smoothstep(low: float, high: float, values: ArrayLike) -> Doubles:
    """0 below `low`, 1 above `high`, 3t² − 2t³ between; falling if `low` is above `high`."""
    t = np.clip((np.asarray(values) - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))
