"""Predicted keypoints as the record's 17 COCO keypoints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from phq.curate.predictions.conventions import Convention
from phq.curate.predictions.files import PredictedRow
from phq.curate.predictions.matches import stated_box
from phq.curate.predictions.rotations import RowError, UnitError
from phq.curate.predictions.stored_pose import StoredPose
from phq.people.person import known
from phq.photos.region import apply_affine
from phq.photos.turn import to_turned
from phq.pose.evidence import SURE_KEYPOINT
from phq.system.arrays import Bools, Doubles, Floats
from phq.system.linear import length

COCO_LEFT_RIGHT = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)
MEDIAN_TO_SIGMA = 1.1774
"""Median length of a two-dimensional Gaussian error over its sigma an axis."""
MOST_FRACTION = 10.0
"""Of the sides of a picture or box; no program places a keypoint further out."""
OF_BLAZEPOSE = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
"""COCO's keypoints among BlazePose's 33 landmarks."""
COUNTS = (17, 26, 133, 33)
"""COCO; Halpe and whole body, whose first 17 are COCO's; BlazePose."""


def decode_keypoints(row: PredictedRow, convention: Convention, seen: StoredPose) -> Doubles:
    """(17, 3) x, y in photo pixels of the record, score.

    Raises:
        RowError: another number of keypoints, a picture whose place is not known, or pixels that are stated as
            fractions (`UnitError`).
    """
    points = _coco(row)
    if convention.unit_px == "fractions" and np.abs(points[:, :2]).max() > MOST_FRACTION:
        raise UnitError("its keypoints lie far outside as fractions; these look like pixels: --convention pixels")
    source, turn = seen.person.photo.source, seen.turn
    xy: Floats = points[:, :2]
    if convention.camera == "headshot":
        frame = known(seen.person.frame)
        xy = apply_affine(frame.crop_to_source, xy * (frame.image_size if convention.unit_px == "fractions" else 1))
    else:
        width, height = source.size[::-1] if turn % 180 else source.size
        origin, size = np.zeros(2), np.array([width, height], float)
        if convention.camera == "crop":
            box, _ = stated_box(row)
            if box.size != 4:
                raise RowError("its keypoints are in the box, and the row has none")
            origin, size = box[:2], box[2:] - box[:2]
        xy = xy * (size if convention.unit_px == "fractions" else 1) + origin
        xy = to_turned(xy, turn, *source.size)
    found = np.column_stack([np.asarray(xy, np.float64), points[:, 2]])
    return found[list(COCO_LEFT_RIGHT)] if convention.sides == "image-sides" and _is_front(found) else found


def _is_front(points: Doubles) -> bool:
    """Named by the image's sides, a front has the left shoulder on the left."""
    return bool(points[5, 0] < points[6, 0])


def _coco(row: PredictedRow) -> Doubles:
    """(17, 3) as stated; a missing score is 1."""
    if "keypoints" not in row.numbers:
        raise RowError("it has no keypoints")
    values = row.numbers["keypoints"]
    if values.ndim != 2:
        count = next((n for n in COUNTS if values.size in (2 * n, 3 * n)), 0)
        values = values.reshape(count, -1) if count else values.reshape(-1, 1)
    if values.shape[0] not in COUNTS or values.shape[1] not in (2, 3, 4):
        raise RowError(f"it has keypoints of the shape {row.numbers['keypoints'].shape}; {COUNTS} × 2 or 3 are known")
    values = values[list(OF_BLAZEPOSE)] if len(values) == OF_BLAZEPOSE[-1] + 5 else values[:17]
    scores = values[:, -1] if values.shape[1] > 2 else np.ones(17)
    return np.column_stack([values[:, :2], np.clip(scores, 0, 1)])


def distance_percent(points: Doubles, seen: StoredPose) -> float:
    """Median distance from the record's keypoints, per cent of the box's height; NaN if none is seen by both."""
    own = seen.person.box.coco_keypoints
    both = (points[:, 2] > SURE_KEYPOINT) & (own[:, 2] > SURE_KEYPOINT)
    if not both.any():
        return float("nan")
    off = np.sqrt(((points[both, :2] - own[both, :2]) ** 2).sum(1))
    box = seen.person.box
    return 100 * float(np.median(off)) / max(box.box_y1 - box.box_y0, 1.0)


def share_of_points(pairs: Sequence[tuple[Doubles, StoredPose]], stated: float | None) -> tuple[float, float]:
    """Standard deviation of predicted keypoints, pixels an axis, and their weight beside the record's.

    Args:
        pairs: (17, 3) predictions and their records.
        stated: the standard deviation if the user states one; otherwise both sources count as equally good.
    """
    off = [length(points[both, :2] - seen.person.box.coco_keypoints[both, :2]) for points, seen, both in _sure(pairs)]
    apart = float(np.median(np.concatenate(off))) / MEDIAN_TO_SIGMA if off else 0.0
    if stated is None or not off:
        return stated or apart / np.sqrt(2), 0.5
    own = max(apart**2 - stated**2, apart**2 / 9)
    return stated, float(own / max(own + stated**2, 1e-12))


def _sure(pairs: Sequence[tuple[Doubles, StoredPose]]) -> Iterator[tuple[Doubles, StoredPose, Bools]]:
    """Those with keypoints that both are sure of, and which."""
    for points, seen in pairs:
        both = (points[:, 2] > SURE_KEYPOINT) & (seen.person.box.coco_keypoints[:, 2] > SURE_KEYPOINT)
        if both.any():
            yield points, seen, both


def mean_keypoints(own: Floats, points: Doubles, share: float) -> Doubles:
    """(17, 3) the mean of two sets with this share of the second; where only one is sure, that one."""
    sure, known_ = points[:, 2] > SURE_KEYPOINT, own[:, 2] > SURE_KEYPOINT
    weight = np.where(known_, np.where(sure, share, 0.0), 1.0)[:, None]
    mixed = own[:, :2] * (1 - weight) + points[:, :2] * weight
    return np.column_stack([mixed, np.maximum(own[:, 2], points[:, 2])])
