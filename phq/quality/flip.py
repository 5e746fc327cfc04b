"""Probability that front and back are confused: the fused orientation's own doubt, and what the face says about it.

By Bayes' rule: `orientation_p_flip` is the prior; a face detector fires on nearly every front and hardly any back, so a
face that is there or missing is evidence. ``flip_table.json`` has how often it fires by the head's yaw, measured by
``tools/calibrate_uncertainty.py`` on rendered people with exact truth.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

SELDOM = 0.03
"""A detector may fire on anything, and miss anything, this often: no face proves nothing outright."""
SMALLEST = 0.002
"""Nothing that the orientation network says rules a flip out."""


@cache
def face_weights() -> tuple[float, float]:
    """(bias, slope) of the logistic rate of found faces against `away`."""
    table = json.loads((Path(__file__).parent / "flip_table.json").read_text(encoding="utf-8"))
    return float(table["bias"]), float(table["slope"])


def away(yaw_deg: float) -> float:
    """How far a yaw is from the front: 0 facing the camera, 1 at the back, smooth."""
    return float((1 - np.cos(np.radians(yaw_deg))) / 2)


def face_rate(yaw_deg: float) -> float:
    """How often a face is found on a head that is turned so."""
    bias, slope = face_weights()
    rate = 1 / (1 + np.exp(-(bias + slope * away(yaw_deg))))
    return float(np.clip(rate, SELDOM, 1 - SELDOM))


def p_flip(fields: Mapping[str, Any]) -> float:
    """Probability in 0..1 that the torso's yaw is wrong by more than 90°."""
    prior = max(float(fields["orientation_p_flip"]), SMALLEST)
    rates = np.array([face_rate(fields["head_yaw_deg"]), face_rate(fields["head_yaw_deg"] + 180)])
    as_is, turned = rates if fields["face_found"] else 1 - rates
    return float(prior * turned / (prior * turned + (1 - prior) * as_is))
