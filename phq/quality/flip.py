"""Probability that front and back are confused: the orientation's own doubt, and what other networks say of it.

By Bayes' rule: `orientation_p_flip` is the prior, or its complement for a label that faces away from the observed
orientation (a later overlay may have turned it). Two signs are evidence: a face detector fires on nearly every head
that faces the camera and on hardly any other, and MoveNet, which tells left from right by itself, puts the left
shoulder to the right of the right one on a front. Where a face was pixelated the detector says nothing, and the
orientation knows it already. ``flip_table.json`` has how often each happens by yaw, measured by
``tools/calibrate_uncertainty.py`` on rendered people with exact truth.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from phq.camera.angles import apart_deg
from phq.pose.evidence import SURE_KEYPOINT
from phq.quality.pixelation import PIXELATED
from phq.system.arrays import Bools, Doubles
from phq.system.elementary import cos, exp

SELDOM = 0.03
"""Least rate of any sign: a detector may fire on anything and miss anything, so no sign is a proof."""
SMALLEST = 0.002
"""Least prior: no output of the orientation network rules a flip out."""

LEFT_SHOULDER, RIGHT_SHOULDER = 5, 6
"""COCO keypoints."""


EVIDENCE = (
    "orientation_p_flip", "orientation_yaw_deg", "camera_yaw_deg", "head_yaw_deg", "face_found", "face_pixelation",
    "coco_keypoints",
)  # fmt: skip
"""Fields of `phq.schema.Sample` that the probability follows from."""


@cache
def rates() -> dict[str, tuple[float, float]]:
    """(bias, slope) of the logistic rate of ``face`` and ``order`` against `away`."""
    table = json.loads((Path(__file__).parent / "flip_table.json").read_text(encoding="utf-8"))
    return {name: (float(table[name]["bias"]), float(table[name]["slope"])) for name in ("face", "order")}


def away(yaw_deg: ArrayLike) -> Doubles:
    """How far each yaw is from the front: 0 facing the camera, 1 at the back, smooth."""
    return np.asarray((1 - cos(np.radians(yaw_deg))) / 2)


def rate(sign: str, yaw_deg: ArrayLike) -> Doubles:
    """How often a sign of the front is seen on a head (``face``) or torso (``order``) of each yaw."""
    bias, slope = rates()[sign]
    return np.asarray(np.clip(1 / (1 + exp(-(bias + slope * away(yaw_deg)))), SELDOM, 1 - SELDOM))


def shoulder_order(coco_keypoints: ArrayLike) -> tuple[Bools, Bools]:
    """Whether the left shoulder is right of the right one, as on a front, and whether both were seen.

    Args:
        coco_keypoints: (N, 51) x, y, score of 17 keypoints.

    Returns:
        Two (N,) arrays; the first means nothing where the second is false.
    """
    points = np.asarray(coco_keypoints, np.float64).reshape(-1, 17, 3)
    left, right = points[:, LEFT_SHOULDER], points[:, RIGHT_SHOULDER]
    return left[:, 0] > right[:, 0], np.minimum(left[:, 2], right[:, 2]) > SURE_KEYPOINT


def p_flips(columns: Mapping[str, ArrayLike]) -> Doubles:
    """(N,) probabilities in 0..1 that the torso's yaw is wrong by more than 90°.

    The face is judged by the yaw of the head, the shoulders by that of the torso.

    Args:
        columns: `EVIDENCE` of N records.
    """
    doubt, seen, camera, head = (np.asarray(columns[name], np.float64) for name in EVIDENCE[:4])
    faces_away = apart_deg(camera, seen) > 90
    prior = np.clip(np.where(faces_away, 1 - doubt, doubt), SMALLEST, 1 - SMALLEST)
    front, known = shoulder_order(columns["coco_keypoints"])
    face = _likelihood_ratio("face", head, np.asarray(columns["face_found"], bool))
    face[np.asarray(columns["face_pixelation"]) >= PIXELATED] = 1.0
    order = np.where(known, _likelihood_ratio("order", camera, front), 1.0)
    odds = prior / (1 - prior) * face * order
    return np.asarray(odds / (1 + odds))


def p_flip(record: Mapping[str, Any]) -> float:
    """`p_flips` of one record."""
    return float(p_flips({name: np.asarray(record[name])[None] for name in EVIDENCE})[0])


def _likelihood_ratio(sign: str, yaw_deg: Doubles, there: Bools) -> Doubles:
    """(N,) how much likelier a sign, or its absence, is on a person turned the other way."""
    as_is, turned = rate(sign, yaw_deg), rate(sign, yaw_deg + 180)
    return np.where(there, turned / as_is, (1 - turned) / (1 - as_is))
