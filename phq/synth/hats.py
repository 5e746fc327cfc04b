"""Hats: a crown that follows the skull, and a brim."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phq.synth.bust import Seat
from phq.synth.hair import AXES, CENTRE, COLUMNS, TOP, around, on_ellipsoid
from phq.synth.noise import smoothstep
from phq.synth.sheets import Part, Sheet
from phq.system.arrays import Doubles

ROWS = 14
FRONT, BACK = 0.214, 0.125
"""Height of the rim, metres above the neck joint."""


@dataclass(frozen=True)
class Hat:
    """One person's hat; style is beanie, cap or brim."""

    style: str
    height: float
    """Of its crown above the head, metres."""


def hat_sheets(hat: Hat, seat: Seat) -> list[Sheet]:
    """The grids of the hat on a bust."""
    crown = _crown(hat, seat)
    sheets = [Sheet(crown, Part.HAT)]
    if hat.style == "brim":
        sheets.append(Sheet(_brim(crown[-1], np.full(COLUMNS, 0.065), 0.012), Part.HAT))
    if hat.style == "cap":
        front = np.abs(around()) < 62
        length = 0.075 * np.cos(np.radians(around()[front]) * 1.3)
        sheets.append(Sheet(_brim(crown[-1, front], length, 0.03), Part.HAT, closed=False))
    return sheets


def rim_height(depth: Doubles) -> Doubles:
    """Height of the rim at a depth z (…), metres."""
    return np.asarray(BACK + (FRONT - BACK) * np.clip((depth + 0.06) / 0.2, 0, 1))


def _crown(hat: Hat, seat: Seat) -> Doubles:
    """(ROWS, COLUMNS, 3) from the top to the rim."""
    phi = around()
    path = on_ellipsoid(np.arange(0.0, 150, 2)[:, None], phi, AXES + 0.01)
    rim = 2.0 * (path[..., 1] > rim_height(path[..., 2])).sum(0)
    theta_deg = TOP + (rim - TOP) * np.linspace(0, 1, ROWS)[:, None]
    points = on_ellipsoid(theta_deg, phi)
    height = 0.01 + hat.height * smoothstep(75, 35, theta_deg)
    laid = seat.lay(points.reshape(-1, 3), height.ravel(), np.ones(height.size))
    return np.asarray(laid.reshape(ROWS, COLUMNS, 3))


def _brim(rim: Doubles, length: Doubles, drop: float) -> Doubles:
    """(4, C, 3) outwards from points (C, 3) of the rim by lengths (C,), and down by `drop` at the end."""
    out = (rim - CENTRE) * [1, 0, 1]
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    step = np.linspace(0, 1, 4)[:, None, None]
    return np.asarray(rim + step * out * length[:, None] - step**1.5 * np.array([0, drop, 0]))
