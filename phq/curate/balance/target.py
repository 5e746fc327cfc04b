"""The target of balancing: bins, and the share of each direction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phq.errors import ConfigError
from phq.system.arrays import Doubles, Ints

YAW_BINS = 24
"""Bins of 15° from −180° on, so that ±90°, the border of front and back, is an edge."""
PITCH_STEP, HEAD_STEP = 15.0, 30.0
"""Widths in degrees; one bin is centred on 0."""
UNIFORM, FRONT_BACK = "uniform-yaw", "front-back"


def yaw_bin(yaw_deg: Doubles) -> Ints:
    """Bin of each yaw, 0 to `YAW_BINS` − 1."""
    return np.asarray(np.floor((yaw_deg + 180.0) * (YAW_BINS / 360.0)), np.int64) % YAW_BINS


def is_front(bins: Ints) -> NDArray[np.bool_]:
    """Whether bins are less than 90° from the front."""
    return np.asarray(np.abs(bins - (YAW_BINS - 1) / 2) < YAW_BINS / 4)


def cells(yaw: Doubles, pitch: Doubles, turn: Doubles, nod: Doubles) -> Ints:
    """(N, 3) bins of yaw, pitch and head pose: 5 of pitch, and 5 × 3 of turn and nod; the outermost are open.

    Args:
        yaw: (N,) of the camera, degrees.
        pitch: (N,) of the camera, degrees.
        turn: (N,) of the head against the torso, degrees.
        nod: (N,) of the head against the torso, degrees.
    """
    pitches, turns = (_centred(values, step, 2) for values, step in ((pitch, PITCH_STEP), (turn, HEAD_STEP)))
    return np.stack([yaw_bin(yaw), pitches, 3 * turns + _centred(nod, HEAD_STEP, 1)], axis=1)


def _centred(values: Doubles, step: float, most: int) -> Ints:
    return np.clip(np.floor(values / step + 0.5), -most, most).astype(np.int64)


@dataclass(frozen=True)
class Target:
    """Share of each direction in the whole."""

    front_to_back: float | None
    """Mass of the front half over that of the back half; None for equal bins all round."""

    @classmethod
    def parse(cls, text: str) -> Target:
        """From ``uniform-yaw`` or ``front-back=R``.

        Raises:
            ConfigError: it is neither, or R is not above 0.
        """
        if text == UNIFORM:
            return cls(None)
        name, _, ratio = text.partition("=")
        try:
            value = float(ratio)
        except ValueError:
            value = math.nan
        if name != FRONT_BACK or not (math.isfinite(value) and value > 0):
            raise ConfigError(f"--target {text!r}: expected {UNIFORM}, or {FRONT_BACK}=R with R above 0, such as 1.5")
        return cls(value)

    def shares(self, bins: Ints, counts: Ints) -> Doubles:
        """(B,) relative share of each occupied bin of yaw: equal, or within each half in proportion to its samples.

        Args:
            bins: (B,) occupied bins.
            counts: (B,) samples in each.
        """
        if self.front_to_back is None:
            return np.ones(len(bins))
        shares, front = counts.astype(np.float64), is_front(bins)
        for half, mass in ((front, self.front_to_back), (~front, 1.0)):
            shares[half] *= mass / max(shares[half].sum(), 1.0)
        return shares


def floors(settings: Sequence[str]) -> dict[str, float]:
    """Minimum by column, from texts such as ``blur=0.5``.

    Raises:
        ConfigError: one of them has another form.
    """
    found: dict[str, float] = {}
    for text in settings:
        name, _, value = text.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise ConfigError(f"--quality-min {text!r}: expected SCORE=VALUE, such as blur=0.5") from None
    return found
