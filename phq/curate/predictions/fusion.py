"""One rotation from two sources by their standard deviations; a source's own, from its agreement with the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phq.camera.rotations import between, rotation_log
from phq.system.arrays import Doubles
from phq.system.linear import length, product

APART_DEG = 90.0
"""Rotations that differ by more are a front and a back: one of them is chosen, their mean would be a side."""
LEAST_FLIP, MOST_FLIP = 0.005, 0.5
LEAST_SIGMA_DEG = 0.5
MAD_TO_SIGMA = 1.4826
"""Median absolute deviation of a Gaussian to its standard deviation."""


@dataclass(frozen=True)
class Source:
    """How far a source is off."""

    sigma_deg: float
    """Standard deviation of its yaw."""
    p_flip: float
    """How often it takes front for back."""


@dataclass(frozen=True)
class Fused:
    """The rotation that is stated."""

    rotation: Doubles
    """(3, 3)."""
    sigma_deg: float
    p_flip: float
    """Probability that it is a front for a back, or the reverse."""
    share: float
    """Of the other source in it, 0 to 1."""


def apart_deg(one: Doubles, other: Doubles) -> Doubles:
    """(…) degrees between rotations (…, 3, 3)."""
    return np.asarray(np.degrees(length(rotation_log(product(np.swapaxes(one, -1, -2), other)))))


def share_of(own: Source, other: Source) -> float:
    """Weight of the other source in the mean with the least variance."""
    return float(own.sigma_deg**2 / (own.sigma_deg**2 + other.sigma_deg**2))


def replaced(rotation: Doubles, before: Doubles, own: Source, other: Source) -> Fused:
    """The other source's rotation; what the record said remains evidence of front and back."""
    agree = bool(apart_deg(before, rotation) <= APART_DEG)
    return Fused(rotation, other.sigma_deg, _doubt(other.p_flip, own.p_flip, agree), 1.0)


def fused(rotation: Doubles, before: Doubles, own: Source, other: Source) -> Fused:
    """The mean of two rotations by their variances; of a front and a back the likelier, a tie for the record."""
    if apart_deg(before, rotation) <= APART_DEG:
        share = share_of(own, other)
        sigma = own.sigma_deg * other.sigma_deg / np.hypot(own.sigma_deg, other.sigma_deg)
        doubt = _doubt(own.p_flip, other.p_flip, True)
        return Fused(between(before, rotation, share), float(sigma), doubt, share)
    if other.p_flip < own.p_flip:
        return replaced(rotation, before, own, other)
    return Fused(before, own.sigma_deg, _doubt(own.p_flip, other.p_flip, False), 0.0)


def _doubt(p: float, witness: float, agrees: bool) -> float:
    """Bayes' rule for two sources that err independently."""
    p, witness = (float(np.clip(value, LEAST_FLIP, 1 - LEAST_FLIP)) for value in (p, witness))
    ratio = witness / (1 - witness) if agrees else (1 - witness) / witness
    odds = p / (1 - p) * ratio
    return odds / (1 + odds)


def estimated(yaw_apart_deg: Doubles, own_sigmas_deg: Doubles, own_flips: Doubles, stated: float | None) -> Source:
    """How far a source is off, from its distances to records whose own uncertainty is known.

    Args:
        yaw_apart_deg: (N,) absolute differences of yaw, degrees.
        own_sigmas_deg: (N,) of the records; 0 where none is stated.
        own_flips: (N,) of the records.
        stated: its standard deviation if the user states one, degrees.
    """
    near = yaw_apart_deg <= APART_DEG
    spread = MAD_TO_SIGMA * float(np.median(yaw_apart_deg[near])) if near.any() else APART_DEG
    variance = spread**2
    theirs = float(np.mean(own_sigmas_deg[near] ** 2)) if near.any() else 0.0
    sigma = max(variance - theirs, variance / 9) if theirs else variance / 2
    flips = float(np.clip(np.mean(~near) - np.mean(own_flips), LEAST_FLIP, MOST_FLIP))
    return Source(max(stated or float(np.sqrt(sigma)), LEAST_SIGMA_DEG), flips)
