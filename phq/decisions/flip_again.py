"""`phq.quality.flip.p_flip` over whole columns, for labels that an overlay has turned since it was stated."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from phq.pose.evidence import SURE_KEYPOINT
from phq.quality.flip import LEFT_SHOULDER, RIGHT_SHOULDER, SELDOM, SMALLEST, rates
from phq.system.arrays import Doubles

EVIDENCE = (
    "orientation_sigma_deg", "orientation_p_flip", "orientation_yaw_deg", "camera_yaw_deg", "head_yaw_deg",
    "face_found", "coco_keypoints", "p_flip",
)  # fmt: skip
"""Columns that it takes."""


def p_flip_columns(table: pa.Table) -> Doubles:
    """(N,) probability of a flip of each row's label as it stands; the stored one where there is no evidence.

    Args:
        table: `EVIDENCE`, of rows that have all of it.
    """
    camera, head, seen = (table[f"{what}_yaw_deg"].to_numpy() for what in ("camera", "head", "orientation"))
    doubt = table["orientation_p_flip"].to_numpy()
    prior = np.clip(np.where(np.cos(np.radians(camera - seen)) < 0, 1 - doubt, doubt), SMALLEST, 1 - SMALLEST)
    odds = prior / (1 - prior) * _turned("face", head, table["face_found"].to_numpy())
    points = np.asarray(pc.list_flatten(table["coco_keypoints"])).reshape(-1, 17, 3)
    left, right = points[:, LEFT_SHOULDER], points[:, RIGHT_SHOULDER]
    both = np.minimum(left[:, 2], right[:, 2]) > SURE_KEYPOINT
    odds = odds * np.where(both, _turned("order", camera, left[:, 0] > right[:, 0]), 1.0)
    known = table["orientation_sigma_deg"].to_numpy() > 0
    return np.asarray(np.where(known, odds / (1 + odds), table["p_flip"].to_numpy()))


def _turned(sign: str, yaw: Doubles, there: NDArray[np.bool_]) -> Doubles:
    """How much likelier a sign, or its absence, is on a person turned the other way."""
    as_is, turned = (_rates(sign, yaw + turn) for turn in (0, 180))
    return np.asarray(np.where(there, turned / as_is, (1 - turned) / (1 - as_is)))


def _rates(sign: str, yaw: Doubles) -> Doubles:
    bias, slope = rates()[sign]
    away = (1 - np.cos(np.radians(yaw))) / 2
    return np.asarray(np.clip(1 / (1 + np.exp(-(bias + slope * away))), SELDOM, 1 - SELDOM))
