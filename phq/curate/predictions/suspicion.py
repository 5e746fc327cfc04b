"""Does a file mean what its stated convention says? Judged by what the labels of the dataset say of the same people."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from phq.camera.rotations import rotmat_to_rotvec
from phq.curate.predictions.conventions import Convention
from phq.curate.predictions.fusion import apart_deg
from phq.system.arrays import Doubles
from phq.system.linear import length, nearest_rotation, product

LEAST_PEOPLE = 9
"""Fewer prove nothing."""
NEARER = 0.8
"""Of the stated convention's median distance, the other's at most."""
CLEARLY = 3.0
"""Standard deviations by which more people than half are nearer under the other convention."""
ALIKE = 0.05
"""Of the larger median: distances of one person that differ by less say nothing."""
FAR_DEG, EXPLAINED = 20.0, 0.5
"""A constant turn is named from this median distance on, if it leaves at most this part of it."""


@dataclass(frozen=True)
class Suspicion:
    """Another convention explains the file better."""

    phrase: str
    """What is different in it."""
    stated: float
    """Median distance under the stated convention, degrees or per cent."""
    other: float


def clearly_nearer(stated: Doubles, other: Doubles) -> bool:
    """Whether people are nearer to their labels under another convention, by a sign test of those who tell.

    Args:
        stated: (N,) distances under the stated convention.
        other: (N,) under the other.
    """
    if np.median(other) > NEARER * np.median(stated):
        return False
    tell = np.abs(stated - other) > ALIKE * np.median(stated)
    n, nearer = int(tell.sum()), int((other[tell] < stated[tell]).sum())
    return n >= LEAST_PEOPLE and (2 * nearer - n) / np.sqrt(n) >= CLEARLY


def suspect(
    stated: Doubles, others: Iterable[tuple[str, Convention]], distances: Callable[[Convention], Doubles | None]
) -> Suspicion | None:
    """The convention that explains a file best, if it is not the stated one.

    Args:
        stated: (N,) distances under the stated convention.
        others: phrase and convention of each other one.
        distances: (N,) under a convention; None if the file cannot be read so.
    """
    found: list[Suspicion] = []
    for phrase, convention in others:
        apart = distances(convention)
        if apart is not None and clearly_nearer(stated, apart):
            found.append(Suspicion(phrase, float(np.median(stated)), float(np.median(apart))))
    return min(found, key=lambda suspicion: suspicion.other, default=None)


def constant_turn(predicted: Doubles, labels: Doubles) -> Suspicion | None:
    """A turn that all predictions have in common.

    Args:
        predicted: (N, 3, 3) part to camera, as the file states them.
        labels: (N, 3, 3) of the dataset.
    """
    before = float(np.median(apart_deg(predicted, labels)))
    if len(predicted) < LEAST_PEOPLE or before < FAR_DEG:
        return None
    sides = {
        "camera": product(predicted, labels.swapaxes(1, 2)),
        "body": product(labels.swapaxes(1, 2), predicted),
    }
    found: list[Suspicion] = []
    for axes, turns in sides.items():
        common = nearest_rotation(turns.sum(0))
        rest = float(np.median(apart_deg(np.broadcast_to(common, turns.shape), turns)))
        if rest <= EXPLAINED * before:
            found.append(Suspicion(_turn_phrase(common, axes), before, rest))
    return min(found, key=lambda suspicion: suspicion.other, default=None)


def _turn_phrase(turn: Doubles, axes: str) -> str:
    vector = rotmat_to_rotvec(turn)
    angle = float(length(vector))
    axis = ", ".join(f"{value:.1f}" for value in vector / max(angle, 1e-9))
    return f"a constant turn of {np.degrees(angle):.0f}° about ({axis}) in the axes of the {axes}"
