"""Hair: a grid from the crown down to the hairline, which lies on the skull and may hang on from there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phq.synth.bust import Seat
from phq.synth.colours import Colour
from phq.synth.noise import Noise, smoothstep
from phq.synth.sheets import Part, Sheet
from phq.system.arrays import Doubles, Floats

CENTRE = np.array([0.0, 0.175, 0.035])
AXES = np.array([0.075, 0.094, 0.096])
"""Of an ellipsoid near the skull, metres; points start on it."""
ROWS, COLUMNS = 26, 56
HAIRLINE = ((0, 40, 60, 72, 84, 106, 122, 150, 180), (60, 62, 72, 104, 95, 96, 124, 142, 146))
"""Angle about the crown from front to back, degrees, and how far from the crown hair grows there: forehead, temple,
sideburn, round the ear, nape."""
TOP = 2.0
"""Angle from the crown of the first row, degrees: the hole is smaller than a hair's breadth."""
LEAVE = 92.0
"""Angle from the crown at which hanging hair leaves the skull, degrees."""
FRINGE = 84.0
"""As HAIRLINE, of hair that hangs into the forehead."""


@dataclass(frozen=True)
class Hair:
    """One person's hair."""

    colour: Colour
    painted: float = 0.0
    """Opacity of stubble painted on the scalp."""
    top: float = 0.0
    """Thickness at the crown, metres; 0 for none."""
    sides: float = 0.0
    fringe: bool = False
    recede: float = 0.0
    """Degrees by which the front hairline stands back."""
    ends: float | None = None
    """Height to which it hangs, metres above the neck joint; None if it does not."""
    opening: float = 70.0
    """Angle from the front within which it does not hang, degrees."""
    flare: float = 0.0
    """How much wider than the head it hangs, fraction."""
    curl: float = 0.0
    """Height of its waves, metres."""
    waves: float = 40.0
    """Waves a metre."""
    knot: str = ""
    """bun or tail."""


def hair_sheets(hair: Hair, seat: Seat, noise: Noise) -> list[Sheet]:
    """The grids of this hair on a bust; none if it is bald or shorn."""
    sheets = [Sheet(_cap(hair, seat, noise), Part.HAIR)] if hair.top > 0 else []
    if hair.knot == "bun":
        sheets.append(Sheet(_ball(np.array([0.0, 0.235, -0.06]), 0.036, noise), Part.HAIR))
    if hair.knot == "tail":
        sheets.append(Sheet(_tail(seat), Part.HAIR))
    return sheets


def around() -> Doubles:
    """(COLUMNS,) angles about the crown, degrees; 0 is the front, + the subject's left."""
    return np.linspace(-180, 180, COLUMNS, endpoint=False)


def on_ellipsoid(theta_deg: Floats, phi_deg: Floats, axes: Floats = AXES) -> Doubles:
    """(…, 3) points in the direction of angles from and about the crown, which are broadcast."""
    theta, phi = np.broadcast_arrays(np.radians(theta_deg), np.radians(phi_deg))
    direction = np.stack([np.sin(theta) * np.sin(phi), np.cos(theta), np.sin(theta) * np.cos(phi)], -1)
    return np.asarray(CENTRE + axes * direction)


def angles(points: Floats) -> tuple[Floats, Floats]:
    """Angles from and about the crown, degrees, of points (N, 3)."""
    off = points - CENTRE.astype(points.dtype)
    theta = np.degrees(np.arctan2(np.hypot(off[:, 0], off[:, 2]), off[:, 1]))
    return theta, np.degrees(np.arctan2(off[:, 0], off[:, 2]))


def hairline(phi_deg: Floats, recede: float = 0.0, fringe: bool = False) -> Doubles:
    """Angle from the crown at which hair ends, degrees, of angles (…) about it."""
    side = np.abs(phi_deg)
    end = np.interp(side, *HAIRLINE) - recede * smoothstep(80, 25, side)
    return np.asarray(np.where(fringe & (side < 50), np.maximum(end, FRINGE), end))


def _cap(hair: Hair, seat: Seat, noise: Noise) -> Doubles:
    """(ROWS, COLUMNS, 3)."""
    phi = around()
    step = np.linspace(0, 1, ROWS)[:, None]
    end = hairline(phi, hair.recede, hair.fringe)
    lying_deg = TOP + (end - TOP) * step
    points, hangs = on_ellipsoid(lying_deg, phi), np.zeros_like(lying_deg)
    if hair.ends is not None:
        hanging, fall = _hanging(hair, phi, step)
        share = smoothstep(hair.opening, hair.opening + 22, np.abs(phi))
        points = points + (hanging - points) * share[:, None]
        hangs = share * fall
    height = _thickness(hair, lying_deg, end, hangs)
    bumps = noise(points, hair.waves) * hair.curl * (1 - 0.5 * hangs)
    flat = (ROWS * COLUMNS, 3)
    laid = seat.lay(points.reshape(flat), (height + bumps).ravel(), 1 - np.minimum(1, 3 * hangs).ravel())
    return np.asarray(laid.reshape(ROWS, COLUMNS, 3))


def _hanging(hair: Hair, phi: Doubles, step: Doubles) -> tuple[Doubles, Doubles]:
    """Points (ROWS, COLUMNS, 3) down the skull and then straight down, and how far each has fallen, 0..1."""
    assert hair.ends is not None
    turn = 0.45  # share of the rows that lies on the skull
    theta = TOP + (LEAVE - TOP) * np.minimum(step / turn, 1)
    points = on_ellipsoid(theta, phi, AXES + hair.sides)
    fall = np.broadcast_to(np.clip((step - turn) / (1 - turn), 0, 1), (ROWS, COLUMNS))
    drop = (points[..., 1] - hair.ends) * fall
    points[..., 1] -= drop
    points[..., [0, 2]] *= (1 + hair.flare * np.sin(fall * 2.2))[..., None]
    return points, fall


def _thickness(hair: Hair, theta_deg: Doubles, end_deg: Doubles, hangs: Doubles) -> Doubles:
    """Height above the skin (ROWS, COLUMNS), below it at a hairline, so that the edge is the skin's."""
    top = smoothstep(100, 30, theta_deg)
    full = hair.sides + (hair.top - hair.sides) * top
    reach = 10 + 600 * full  # degrees over which it thins out: thick hair needs more
    thin = smoothstep(0, 1, (end_deg - theta_deg) / reach)
    edge = 0.004 if hair.fringe else -0.004
    return np.asarray(np.maximum(hangs, thin) * (full - edge) + edge)


def _ball(centre: Doubles, radius: float, noise: Noise) -> Doubles:
    """(12, 20, 3)."""
    theta, phi = np.linspace(1, 179, 12)[:, None], np.linspace(0, 360, 20, endpoint=False)
    direction = on_ellipsoid(theta, phi, np.ones(3)) - CENTRE
    return np.asarray(centre + direction * (radius * (1 + 0.1 * noise(direction, 3.0)))[..., None])


def _tail(seat: Seat) -> Doubles:
    """(16, 16, 3) a tuft from the back of the head down to the shoulders."""
    step = np.linspace(0, 1, 16)
    spine = np.stack([np.zeros(16), 0.225 - 0.27 * step, -0.055 - 0.05 * np.sin(np.pi * np.minimum(1, 1.3 * step))], -1)
    radius = 0.007 + 0.024 * np.sin(np.pi * (0.1 + 0.88 * step)) ** 0.7
    phi = np.radians(np.linspace(0, 360, 16, endpoint=False))
    ring = np.stack([np.sin(phi), np.zeros(16), np.cos(phi)], -1)
    points = spine[:, None] + ring * radius[:, None, None]
    return seat.lay(points.reshape(-1, 3), np.full(256, 0.004), np.zeros(256)).reshape(16, 16, 3)
