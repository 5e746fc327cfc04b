"""The colour of every part of a figure, as a function of where it is at rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phq.synth.clothes import Clothes, covered, jacket_over
from phq.synth.colours import Colour, mixed
from phq.synth.hair import CENTRE, Hair, angles
from phq.synth.noise import Noise
from phq.synth.sheets import Part
from phq.synth.skin import Face, paint_eyes, paint_skin
from phq.system.arrays import Floats, Singles


@dataclass(frozen=True)
class Fabric:
    """A cloth's colours and pattern."""

    ground: Colour
    figure: Colour
    pattern: str
    """A name of `PATTERNS`."""
    period: float
    """Metres."""


@dataclass(frozen=True)
class Palette:
    """All that colours one person."""

    face: Face
    hair: Hair
    clothes: Clothes
    shirt: Fabric
    jacket: Fabric
    hat: Fabric


PATTERNS: dict[str, Callable[[Floats, Floats, Floats], Floats | NDArray[np.bool_]]] = {
    "plain": lambda across, _up, _grain: np.zeros_like(across),
    "stripes": lambda _across, up, _grain: up > 0.2,
    "bars": lambda across, _up, _grain: across > 0.4,
    "checks": lambda across, up, _grain: np.mean([across > 0, up > 0], axis=0),
    "dots": lambda across, up, _grain: across + up > 1.2,
    "heather": lambda _across, _up, grain: 0.5 + 0.5 * grain,
}
"""Share (N,) of the figure's colour, of waves −1..1 across and up the cloth and of noise."""


def paint(points: Singles, part: NDArray[np.int64], palette: Palette, noise: Noise) -> Singles:
    """sRGB (N, 3), 0..1, of points (N, 3) at rest that belong to parts (N,)."""
    painters: dict[Part, Callable[[Singles], Singles]] = {
        Part.BODY: lambda some: _skin_and_clothes(some, palette, noise),
        Part.EYE: lambda some: paint_eyes(some, palette.face),
        Part.HAIR: lambda some: _strands(some, palette.hair, noise),
        Part.HAT: lambda some: _cloth(some, palette.hat, noise),
        Part.COLLAR: lambda some: _cloth(some, palette.shirt, noise),
    }
    colours = np.empty_like(points)
    for which, painter in painters.items():
        here = np.flatnonzero(part == which)
        colours[here] = painter(points[here])
    return colours


def _skin_and_clothes(points: Singles, palette: Palette, noise: Noise) -> Singles:
    clothed = covered(points, palette.clothes) > 0
    jacket = clothed & (jacket_over(points, palette.clothes) > 0)
    shirt = clothed & ~jacket
    colours = np.empty_like(points)
    colours[~clothed] = paint_skin(points[~clothed], palette.face, palette.hair, noise)
    colours[shirt] = _cloth(points[shirt], palette.shirt, noise)
    colours[jacket] = _cloth(points[jacket], palette.jacket, noise)
    return colours


def _strands(points: Singles, hair: Hair, noise: Noise) -> Singles:
    """Hair: strands run down from the crown, so colour changes fast about it and slowly along."""
    theta, phi = angles(points)
    radius = np.hypot(points[:, 0] - CENTRE[0], points[:, 2] - CENTRE[2])
    about = np.stack([phi * 0.35, theta * 0.03, radius * 20], 1)
    fine = 0.6 * noise(about, 1.0) + 0.4 * noise(about, 2.3)
    if hair.curl > 0.004:
        fine = 0.3 * fine + 0.7 * noise(points, 220.0)
    return np.asarray(np.clip(np.asarray(hair.colour) * (1 + 0.3 * fine[:, None]), 0, 1), np.float32)


def _cloth(points: Singles, fabric: Fabric, noise: Noise) -> Singles:
    across, up = np.cos(points[:, :2] * (2 * np.pi / fabric.period)).T
    share = PATTERNS[fabric.pattern](across, up, noise(points, 300.0))
    return np.asarray(mixed(fabric.ground, fabric.figure, share) * (1 + 0.05 * noise(points, 500.0))[:, None])
