"""Probability that front and back are confused: the orientation's own doubt, and the evidence of other networks.

By Bayes' rule. The prior is `orientation_p_flip`; for a label that faces the other way than the orientation that was
measured (one that was turned since), it is 1 minus that. Two signs are evidence: a face detector fires on nearly every
front and hardly any back, and MoveNet, which names left and right by itself, puts the left shoulder to the right of the
right one on a front. ``flip_table.json`` has the frequency of each by yaw, measured by
``tools/calibrate_uncertainty.py`` on rendered people with exact truth.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from phq.people import Person, known
from phq.pose.evidence import SURE_KEYPOINT
from phq.system.arrays import Bools, Doubles, Floats

SELDOM = 0.03
"""A detector may fire on anything, and miss anything, this often: no face proves nothing outright."""
SMALLEST = 0.002
"""Smallest prior: the orientation network alone rules no flip out."""

LEFT_SHOULDER, RIGHT_SHOULDER = 5, 6
"""COCO keypoints."""


@dataclass(frozen=True)
class FlipEvidence:
    """What is known about N labels; numbers or arrays (N,), angles in degrees."""

    doubt: ArrayLike
    """``orientation_p_flip``, 0..1."""
    measured_yaw: ArrayLike
    """``orientation_yaw_deg``."""
    torso_yaw: ArrayLike
    """``camera_yaw_deg`` of the label."""
    head_yaw: ArrayLike
    """``head_yaw_deg`` of the label."""
    face_found: ArrayLike
    coco_keypoints: Floats
    """(…, 17, 3) x, y, score."""


@cache
def rates() -> dict[str, tuple[float, float]]:
    """(bias, slope) of the logistic rate of ``face`` and ``order`` against `away`."""
    table = json.loads((Path(__file__).parent / "flip_table.json").read_text(encoding="utf-8"))
    return {name: (float(table[name]["bias"]), float(table[name]["slope"])) for name in ("face", "order")}


def away(yaw_deg: ArrayLike) -> Doubles:
    """How far a yaw is from the front: 0 facing the camera, 1 at the back, smooth."""
    return np.asarray((1 - np.cos(np.radians(yaw_deg))) / 2)


def rate(sign: str, yaw_deg: ArrayLike) -> Doubles:
    """Frequency of a sign of the front on a head (``face``) or torso (``order``) at a yaw."""
    bias, slope = rates()[sign]
    return np.asarray(np.clip(1 / (1 + np.exp(-(bias + slope * away(yaw_deg)))), SELDOM, 1 - SELDOM))


def shoulder_order(coco_keypoints: Floats) -> tuple[Bools, Bools]:
    """Of keypoints (…, 17, 3): whether both shoulders are sure, and whether left is right of right, as on a front."""
    left, right = coco_keypoints[..., LEFT_SHOULDER, :], coco_keypoints[..., RIGHT_SHOULDER, :]
    return np.minimum(left[..., 2], right[..., 2]) > SURE_KEYPOINT, left[..., 0] > right[..., 0]


def p_flip(evidence: FlipEvidence) -> Doubles:
    """(N,) probabilities in 0..1 that the torso's yaw is wrong by more than 90°."""
    e = evidence
    doubt, turned = np.asarray(e.doubt, np.float64), np.asarray(e.torso_yaw) - np.asarray(e.measured_yaw)
    prior = np.clip(np.where(np.cos(np.radians(turned)) < 0, 1 - doubt, doubt), SMALLEST, 1 - SMALLEST)
    odds = prior / (1 - prior) * _turned_ratio("face", e.head_yaw, e.face_found)
    sure, order = shoulder_order(e.coco_keypoints)
    odds = odds * np.where(sure, _turned_ratio("order", e.torso_yaw, order), 1.0)
    return np.asarray(odds / (1 + odds))


def _turned_ratio(sign: str, yaw_deg: ArrayLike, there: ArrayLike) -> Doubles:
    """How much likelier a sign, or its absence, is on a person turned the other way."""
    as_is, turned = (rate(sign, np.asarray(yaw_deg) + turn) for turn in (0, 180))
    return np.asarray(np.where(there, turned / as_is, (1 - turned) / (1 - as_is)))


def person_p_flip(person: Person) -> float:
    """`p_flip` of one person."""
    orientation, camera = known(person.orientation), known(person.camera)
    evidence = FlipEvidence(
        orientation.orientation_p_flip,
        orientation.orientation_yaw_deg,
        camera.camera_yaw_deg,
        camera.head_yaw_deg,
        known(person.head_face).face_found,
        person.box.coco_keypoints,
    )
    return float(p_flip(evidence))
