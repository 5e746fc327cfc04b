"""Where the landmark network looks for a body: the regions of its first and second pass."""

from __future__ import annotations

import numpy as np

from phq.people.person import Landmarks
from phq.photos.region import Region
from phq.system.arrays import Floats

BOX_SCALE = 1.25
BORDER = 0.985
"""A box whose lower edge is below this fraction of the photo's height is cut off there."""
BODY_HEIGHT = 3.4
"""Height of a standing person's box over its width."""
NOBODY = 0.02
"""Presence below which a detector's box is empty (noise: under 0.005; the least of 960 rendered people: 0.036)."""
LONGEST = 2.8
"""At most this many times the visible height is assumed to go on below the border."""


def box_region(box: Floats) -> Region:
    """Region of the first pass from a person box x0, y0, x1, y1."""
    width, height = box[2] - box[0], box[3] - box[1]
    return Region(float(box[0] + width / 2), float(box[1] + height / 2), BOX_SCALE * float(max(width, height)))


def first_region(box: Floats, photo_height: int) -> Region:
    """Region of the first pass: the box, continued downwards as far as the body goes on beyond the photo.

    The network has learned whole bodies; centred on a headshot's box it puts the hips on the chest. On rendered
    people this alone takes the median torso yaw from 23° to 15° (docs/log.md).
    """
    width, height = box[2] - box[0], box[3] - box[1]
    longer = float(np.clip(BODY_HEIGHT * width / height, 1, LONGEST)) if box[3] > BORDER * photo_height else 1.0
    return box_region(np.array([box[0], box[1], box[2], box[1] + height * longer]))


def second_region(run: Landmarks) -> Region:
    """Region of the second pass; the first one again where the network gave no finite numbers."""
    region = run.next_region()
    return region if np.isfinite([region.cx, region.cy, region.side, region.angle]).all() else run.region
