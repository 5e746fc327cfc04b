"""Clothes: where they cover the bust, how thick they are, and collars."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phq.synth.bust import Seat
from phq.synth.noise import smoothstep
from phq.synth.sheets import Part, Sheet
from phq.system.arrays import Doubles, Floats

NECK_BASE = np.array([0.0, 0.005, 0.015])
"""Middle of the neck where it meets the shoulders; the neckline is a sphere about it."""
NAPE = -0.02
"""Height of a plain neckline beside the neck, metres; it slopes down to the front and up to the nape."""
SLOPE = 0.6
"""Of the neckline, metres a metre of depth."""
HIGHEST = 0.05
"""No cloth is higher, metres above the neck joint: there the chin begins."""
JACKET = 0.008
"""Thickness of a jacket, metres."""
COLUMNS, BAND = 36, 7
"""Points round a collar and across it."""


@dataclass(frozen=True)
class Clothes:
    """What one person wears on the torso."""

    radius: float
    """Of the bare neck, metres."""
    rise: float
    """How much higher than a plain neckline the cloth reaches at the neck, metres."""
    vee: float
    """Depth of a V below the neckline in front, metres; 0 for none."""
    thickness: float
    """Metres."""
    collar: str
    """'', turned, roll or hood."""
    jacket: float
    """Half the opening of a jacket in front, metres a metre of height; 0 for none."""


def covered(points: Floats, clothes: Clothes) -> Floats:
    """Metres inside (+) or outside (−) of the cloth's edge, of points (…, 3) at rest."""
    y = points[..., 1]
    off_neck = np.minimum(np.linalg.norm(points - NECK_BASE, axis=-1) - clothes.radius, 0.02 - y)
    below: Floats = np.minimum(np.maximum(off_neck, _edge(points[..., 2], clothes) - y), HIGHEST - y)
    if clothes.vee == 0:
        return below
    low = NECK_BASE[1] - clothes.radius - clothes.vee
    width = (y - low) * 0.55
    vee = np.where(points[..., 2] > 0, np.abs(points[..., 0]) - width, 1.0)
    return np.asarray(np.minimum(below, vee))


def jacket_over(points: Floats, clothes: Clothes) -> Floats:
    """Metres inside (+) or outside (−) of the jacket's edge, of points (…, 3) on the cloth."""
    if clothes.jacket == 0:
        return np.full(points.shape[:-1], -1.0)
    opening = 0.012 + clothes.jacket * np.maximum(points[..., 1] + 0.3, 0)
    return np.asarray(np.where(points[..., 2] > 0.02, np.abs(points[..., 0]) - opening, 1.0))


def thickness(points: Doubles, clothes: Clothes) -> Doubles:
    """Metres by which the clothes lift the surface, at points (V, 3)."""
    inside = covered(points, clothes)
    jacket = JACKET * (inside > 0) * smoothstep(0, 0.006, jacket_over(points, clothes))
    return np.asarray(clothes.thickness * smoothstep(0, 0.008, inside) + jacket)


def _edge(depth: Floats, clothes: Clothes) -> Doubles:
    """Height of the cloth's edge at the neck, at a depth z (…), metres."""
    return np.asarray(NAPE + clothes.rise - SLOPE * depth)


def collar_sheets(clothes: Clothes, seat: Seat) -> list[Sheet]:
    """The grids of the collar on a dressed bust."""
    if clothes.collar == "hood":
        return [_laid(_hood(), np.array(0.003), seat, exactly=False)]
    if clothes.collar == "turned":
        return [_laid(_band(clothes, 0.003, -0.055), np.linspace(0.001, 0.012, BAND)[:, None], seat, exactly=True)]
    if clothes.collar == "roll":
        bulge = 0.009 * np.sin(np.linspace(0, np.pi, BAND))[:, None]
        return [_laid(_band(clothes, 0.006, -0.035), bulge, seat, exactly=True)]
    return []


def _band(clothes: Clothes, high: float, low: float) -> Doubles:
    """(BAND, COLUMNS, 3) points about the neck, from one height above the cloth's edge to the other."""
    phi = np.linspace(-np.pi, np.pi, COLUMNS, endpoint=False)
    x, z = 0.06 * np.sin(phi), 0.015 + 0.06 * np.cos(phi)
    y = _edge(z, clothes) + np.linspace(high, low, BAND)[:, None]
    return np.stack(np.broadcast_arrays(x, y, z), -1)


def _hood() -> Doubles:
    """A roll of cloth on shoulders and nape, thin in front."""
    phi = np.linspace(-np.pi, np.pi, COLUMNS, endpoint=False)
    about = np.linspace(0, 2 * np.pi, 9)[:, None]
    back = 0.5 - 0.5 * np.cos(phi)
    radius = 0.012 + 0.022 * back
    out = 0.085 + radius * np.cos(about)
    y = -0.02 + 0.03 * back + radius * np.sin(about)
    return np.stack([out * np.sin(phi), y, 0.01 + out * np.cos(phi)], -1)


def _laid(points: Doubles, height: Doubles, seat: Seat, exactly: bool) -> Sheet:
    """Points (R, C, 3) as a collar, `height` (R, 1) metres over the cloth; if not `exactly`, at least."""
    flat = points.reshape(-1, 3)
    above = np.broadcast_to(height, points.shape[:-1]).ravel()
    laid = seat.lay(flat, above, np.full(len(flat), float(exactly)))
    return Sheet(np.asarray(laid.reshape(points.shape)), Part.COLLAR, on_skin=True)
