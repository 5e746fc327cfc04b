"""The squares that the orientation network sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phq.people.person import TorsoFit
from phq.photos.region import Region
from phq.pose.closed_form import head_joint, split_neck_head
from phq.system.linear import product

BODY_SPAN, HEAD_SPAN = 0.9, 0.46
"""Sides in template metres: from above the hair to the lower chest whichever way the person bends; hair to neck."""
SKULL = np.array([0.0, 0.09, 0.02])
"""Middle of the skull from the head joint, head axes (left, up, front), template metres."""


@dataclass(frozen=True)
class OrientationRegion:
    """Upright squares round neck and head; beyond the photo they are black."""

    body: Region
    head: Region


def orientation_region(fit: TorsoFit) -> OrientationRegion:
    """Both squares of the closed-form fit, whose scale is that of the head and shoulders.

    The fit falls back on the person's box by itself where landmarks are no help.
    """
    neck = split_neck_head(fit.torso_to_cam, fit.head_to_cam)[0]
    skull = (head_joint(fit.torso_to_cam, neck) + product(fit.head_to_cam, SKULL))[:2]
    body, head = fit.neck_px, fit.neck_px + fit.px_per_metre * skull
    return OrientationRegion(
        Region(float(body[0]), float(body[1]), BODY_SPAN * fit.px_per_metre),
        Region(float(head[0]), float(head[1]), HEAD_SPAN * fit.px_per_metre),
    )
