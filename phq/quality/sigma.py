"""How far the torso's yaw is off, one standard deviation, provided front and back are not confused.

A log-linear function of the evidence; its weights are in ``sigma_table.json``, fitted by
``tools/calibrate_uncertainty.py`` on rendered people with exact truth.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np

from phq.people import Person, known
from phq.system.arrays import Doubles

FEATURES = ("bias", "spread", "residual", "doubt", "passes")
SMALLEST_DEG, LARGEST_DEG = 2.0, 90.0


@cache
def sigma_weights() -> Doubles:
    """(5,) weights in the order of `FEATURES`."""
    table = json.loads((Path(__file__).parent / "sigma_table.json").read_text(encoding="utf-8"))
    return np.array([table["weights"][name] for name in FEATURES])


def sigma_features(sigma_deg: float, residual: float, p_flip: float, disagreement_deg: float) -> Doubles:
    """(5,) evidence in the order of `FEATURES`.

    Args:
        sigma_deg: spread of the fused orientation, ``orientation_sigma_deg``.
        residual: of the fit, ``reprojection_error``.
        p_flip: the orientation's doubt, ``orientation_p_flip``.
        disagreement_deg: first run of the landmark network against the second, ``pass_disagreement_deg``.
    """
    spread, doubt = np.log(max(float(sigma_deg), 1.0)), np.sqrt(float(p_flip))
    return np.array([1.0, spread, min(float(residual), 1.0), doubt, np.log1p(disagreement_deg)])


def yaw_sigma_deg(person: Person) -> float:
    """Standard deviation of the torso's yaw, degrees."""
    orientation = known(person.orientation)
    features = sigma_features(
        orientation.orientation_sigma_deg,
        known(person.fit_scores).reprojection_error,
        orientation.orientation_p_flip,
        known(person.agreement).pass_disagreement_deg,
    )
    return float(np.clip(float(np.exp(features @ sigma_weights())), SMALLEST_DEG, LARGEST_DEG))
