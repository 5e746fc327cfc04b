"""How far the torso's yaw is off, one standard deviation, if front and back are not confused.

A log-linear function of the evidence; its weights are in ``sigma_table.json``, fitted by
``tools/calibrate_uncertainty.py`` on rendered people with exact truth.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phq.system.elementary import exp, log
from phq.system.linear import product

FEATURES = ("bias", "spread", "residual", "doubt", "passes")
SMALLEST_DEG, LARGEST_DEG = 2.0, 90.0


@cache
def sigma_weights() -> NDArray[np.float64]:
    """(5,) weights in the order of `FEATURES`."""
    table = json.loads((Path(__file__).parent / "sigma_table.json").read_text(encoding="utf-8"))
    return np.array([table["weights"][name] for name in FEATURES])


def sigma_features(fields: Mapping[str, Any]) -> NDArray[np.float64]:
    """(5,) evidence from a record: log spread of the orientation, fit residual, flip doubt, agreement of the runs."""
    spread = log(max(float(fields["orientation_sigma_deg"]), 1.0))
    residual, doubt = min(float(fields["reprojection_error"]), 1.0), np.sqrt(float(fields["orientation_p_flip"]))
    return np.array([1.0, spread, residual, doubt, log(1 + fields["pass_disagreement_deg"])])


def yaw_sigma_deg(fields: Mapping[str, Any]) -> float:
    """Standard deviation of the torso's yaw, degrees."""
    sigma = float(exp(product(sigma_features(fields), sigma_weights())))
    return float(np.clip(sigma, SMALLEST_DEG, LARGEST_DEG))
