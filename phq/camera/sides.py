"""Front, side and back of a person, by the yaw of a camera."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phq.camera.angles import apart_deg

SIDES = ("front", "side", "back")
"""Within 60° of the front, between, within 60° of the back: a third each where all directions are as frequent."""


def on_sides(yaw_deg: ArrayLike) -> dict[str, NDArray[np.bool_]]:
    """For each of `SIDES` which of the yaws (N,), degrees, are there."""
    away = apart_deg(yaw_deg, 0.0)
    return dict(zip(SIDES, (away <= 60, (away > 60) & (away < 120), away >= 120), strict=True))


def side_of(yaw_deg: float) -> str:
    """One of `SIDES`."""
    return next(side for side, there in on_sides([yaw_deg]).items() if there[0])


def shares(yaw_deg: ArrayLike) -> dict[str, float]:
    """For each of `SIDES` the fraction of the yaws (N,), degrees, that is there, to six digits; 0 if there are none."""
    return {side: round(float(there.mean()), 6) if len(there) else 0.0 for side, there in on_sides(yaw_deg).items()}
