"""`phq.quality.flip.p_flip` over whole columns, for labels that an overlay has turned since it was stated."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from phq.quality.flip import FlipEvidence, p_flip
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
    doubt, measured, torso, head, face = (table[name].to_numpy() for name in EVIDENCE[1:6])
    points = np.asarray(pc.list_flatten(table["coco_keypoints"])).reshape(-1, 17, 3)
    turned = p_flip(FlipEvidence(doubt, measured, torso, head, face, points))
    known = table["orientation_sigma_deg"].to_numpy() > 0
    return np.asarray(np.where(known, turned, table["p_flip"].to_numpy()))
