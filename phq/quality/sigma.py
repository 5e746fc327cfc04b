"""How far the torso's yaw is off, one standard deviation, provided front and back are not confused.

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

FEATURES = ("bias", "passes", "mirror", "cut", "residual", "doubt")
SMALLEST_DEG, LARGEST_DEG = 2.0, 90.0


@cache
def sigma_weights() -> NDArray[np.float64]:
    """(6,) weights in the order of `FEATURES`."""
    table = json.loads((Path(__file__).parent / "sigma_table.json").read_text(encoding="utf-8"))
    return np.array([table["weights"][name] for name in FEATURES])


def sigma_features(fields: Mapping[str, Any]) -> NDArray[np.float64]:
    """(6,) evidence from a record: log disagreements, whether the photo cuts the body, fit residual, flip doubt."""
    cut = float(fields["box_y1"] > 0.985 * fields["image_height"])
    shape = (fields["box_x1"] - fields["box_x0"]) / max(fields["box_y1"] - fields["box_y0"], 1.0)
    passes, mirror = np.log1p(fields["pass_disagreement_deg"]), np.log1p(fields["flip_disagreement_deg"])
    doubt = np.sqrt(float(fields["p_flip"]))
    return np.array([1.0, passes, mirror, cut * min(shape, 1.0), min(float(fields["reprojection_error"]), 1.0), doubt])


def yaw_sigma_deg(fields: Mapping[str, Any]) -> float:
    """Standard deviation of the torso's yaw, degrees."""
    sigma = float(np.exp(sigma_features(fields) @ sigma_weights()))
    return float(np.clip(sigma, SMALLEST_DEG, LARGEST_DEG))
