"""Probability that front and back are confused: a logistic function of the evidence that a flip leaves behind.

The weights are in ``flip_table.json``; ``tools/calibrate_uncertainty.py`` fits them on rendered people with exact
truth.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEATURES = ("bias", "passes", "mirror", "face_behind", "no_face_in_front", "twist", "residual")


@cache
def flip_weights() -> NDArray[np.float64]:
    """(7,) weights in the order of `FEATURES`."""
    table = json.loads((Path(__file__).parent / "flip_table.json").read_text(encoding="utf-8"))
    return np.array([table["weights"][name] for name in FEATURES])


def away(yaw_deg: float) -> float:
    """How far a yaw is from the front: 0 facing the camera, 1 at the back, smooth."""
    return float((1 - np.cos(np.radians(yaw_deg))) / 2)


def flip_features(fields: Mapping[str, Any]) -> NDArray[np.float64]:
    """(7,) evidence from a record: disagreements (in half turns), face against head yaw, twist, fit residual."""
    head = away(fields["head_yaw_deg"])
    face = float(fields["face_score"])
    twist = away(fields["head_yaw_deg"] - fields["camera_yaw_deg"])
    passes, mirror = fields["pass_disagreement_deg"] / 180, fields["flip_disagreement_deg"] / 180
    residual = min(float(fields["reprojection_error"]), 1.0)
    return np.array([1.0, passes, mirror, face * head, (1 - face) * (1 - head), twist, residual])


def p_flip(fields: Mapping[str, Any]) -> float:
    """Probability in 0..1 that the torso's yaw is wrong by more than 90°."""
    return float(1 / (1 + np.exp(-flip_features(fields) @ flip_weights())))
