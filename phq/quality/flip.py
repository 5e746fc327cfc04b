"""Probability that front and back are confused: the orientation's own doubt, and what other networks say of it.

By Bayes' rule: `orientation_p_flip` is the prior; of a label that looks the other way than the orientation that was
seen, such as one that somebody has turned since, the rest of 1. Two signs are evidence: a face detector fires on nearly
every front and hardly any back, and MoveNet, which names left and right by itself, puts the left shoulder to the right
of the right one on a front. ``flip_table.json`` has how often each happens by yaw, measured by
``tools/calibrate_uncertainty.py`` on rendered people with exact truth.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from phq.camera.angles import wrap_deg
from phq.pose.evidence import SURE_KEYPOINT

SELDOM = 0.03
"""A detector may fire on anything, and miss anything, this often: no face proves nothing outright."""
SMALLEST = 0.002
"""Nothing that the orientation network says rules a flip out."""

LEFT_SHOULDER, RIGHT_SHOULDER = 5, 6
"""COCO keypoints."""


@cache
def rates() -> dict[str, tuple[float, float]]:
    """(bias, slope) of the logistic rate of ``face`` and ``order`` against `away`."""
    table = json.loads((Path(__file__).parent / "flip_table.json").read_text(encoding="utf-8"))
    return {name: (float(table[name]["bias"]), float(table[name]["slope"])) for name in ("face", "order")}


def away(yaw_deg: float) -> float:
    """How far a yaw is from the front: 0 facing the camera, 1 at the back, smooth."""
    return float((1 - np.cos(np.radians(yaw_deg))) / 2)


def rate(sign: str, yaw_deg: float) -> float:
    """How often a sign of the front is seen on a head (``face``) or torso (``order``) that is turned so."""
    bias, slope = rates()[sign]
    return float(np.clip(1 / (1 + np.exp(-(bias + slope * away(yaw_deg)))), SELDOM, 1 - SELDOM))


def shoulder_order(fields: Mapping[str, Any]) -> bool | None:
    """Whether MoveNet's left shoulder is right of its right one, as on a front; None if it did not see both."""
    keypoints = np.asarray(fields["coco_keypoints"]).reshape(17, 3)
    left, right = keypoints[LEFT_SHOULDER], keypoints[RIGHT_SHOULDER]
    return bool(left[0] > right[0]) if min(left[2], right[2]) > SURE_KEYPOINT else None


def odds_of(fields: Mapping[str, Any]) -> float:
    """Odds of a flip as far as the orientation alone goes."""
    doubt = float(fields["orientation_p_flip"])
    seen = fields.get("orientation_yaw_deg", fields["camera_yaw_deg"])
    prior = 1 - doubt if abs(wrap_deg(fields["camera_yaw_deg"] - seen)) > 90 else doubt
    prior = min(max(prior, SMALLEST), 1 - SMALLEST)
    return prior / (1 - prior)


def p_flip(fields: Mapping[str, Any]) -> float:
    """Probability in 0..1 that the torso's yaw is wrong by more than 90°."""
    odds = odds_of(fields)
    seen = {"face": (fields["face_found"], "head_yaw_deg"), "order": (shoulder_order(fields), "camera_yaw_deg")}
    for sign, (there, yaw) in seen.items():
        if there is not None:
            as_is, turned = (rate(sign, fields[yaw] + turn) for turn in (0, 180))
            odds *= turned / as_is if there else (1 - turned) / (1 - as_is)
    return float(odds / (1 + odds))
