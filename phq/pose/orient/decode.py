"""From the network's numbers to angles and their uncertainty."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from phq.system.arrays import Doubles, Floats
from phq.system.elementary import arctan2, cos, exp, sin_cos

BINS = 24
CENTRES = np.arange(BINS) * 2 * np.pi / BINS


def unit_vectors(angles: ArrayLike) -> Doubles:
    """(…, 2) cosine and sine of angles (…) in radians."""
    sine, cosine = sin_cos(angles)
    return np.stack([cosine, sine], -1)


DIRECTIONS = unit_vectors(CENTRES)
ROUNDS = 8
"""The mean moves less than 0.1° after that."""


def yaw_of(p: Floats) -> tuple[float, float, float]:
    """(yaw, sigma, p_flip) of a distribution over the yaw bins; degrees, degrees, 0..1.

    Yaw is the circular mean near the strongest direction, weighted by the cosine of the distance from itself, so that
    a second, opposite mode does not bend it; sigma is the spread within 90° of yaw, p_flip the mass beyond.
    """
    smooth = p + 0.7 * (np.roll(p, 1) + np.roll(p, -1)) + 0.3 * (np.roll(p, 2) + np.roll(p, -2))
    yaw = float(CENTRES[int(np.argmax(smooth))])
    for _ in range(ROUNDS):
        near = p * np.clip(cos(CENTRES - yaw), 0, 1)
        x, y = (near[:, None] * DIRECTIONS).sum(0)
        yaw = float(arctan2(y, x))
    off = (CENTRES - yaw + np.pi) % (2 * np.pi) - np.pi
    same = np.abs(off) <= np.pi / 2
    sigma = float(np.sqrt((p * off**2)[same].sum() / p[same].sum()))
    return float(np.degrees(yaw)), float(np.degrees(sigma)), float(p[~same].sum())


def softmax(logits: Floats) -> Floats:
    """Over the last axis."""
    e = exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


def mirror_outputs(raw: Floats) -> Floats:
    """(N, 56) what the network would say of the mirror images: yaw and roll change sign."""
    parts = raw.reshape(-1, 2, BINS + 4).copy()
    parts[..., :BINS] = parts[..., (-np.arange(BINS)) % BINS]
    parts[..., BINS + 1] *= -1
    return np.asarray(parts.reshape(len(raw), -1))


def decode(raw: Floats, temperature: float = 1.0) -> Floats:
    """(2, 7) for torso and head: yaw, pitch, roll, their sigmas (degrees), p_flip; `raw` (56,) network outputs."""
    parts = np.asarray(raw, np.float64).reshape(2, BINS + 4)
    return np.stack([_part(part, temperature) for part in parts])


def _part(part: Floats, temperature: float) -> Floats:
    yaw, sigma, flip = yaw_of(softmax(part[:BINS] / temperature))
    tilt = np.degrees(part[BINS : BINS + 2])
    spread = np.degrees(np.sqrt(2) * exp(np.clip(part[BINS + 2 :], -4, 1)))  # Laplace scale to standard deviation
    return np.array([yaw, *tilt, sigma, *spread, flip])
