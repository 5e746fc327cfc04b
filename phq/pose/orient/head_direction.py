"""What a detector says of the direction of a head, as a witness of front and back.

    log p(direction | yaw) = ½ log R · cos(direction) · cos(yaw) + constant

so that a head called a front is R times as likely with a yaw of 0° as with 180°, and a side says nothing. Of the torso
the same is expected over the turns of a neck, a Gaussian of `NECK_DEG`. Left and right play no part: what they mean is
not documented.
"""

from __future__ import annotations

import numpy as np

from phq.people.record import PersonBox
from phq.pose.orient.decode import BINS, CENTRES
from phq.schema import HEAD_DIRECTIONS
from phq.system.arrays import Floats
from phq.system.elementary import cos, exp, log

LEAST_SCORE = 0.7
"""Score from which a direction counts; that of the demonstration by DEIMv2-Wholebody's author."""
RATIO = 4.0
"""R: how often a direction is of the right half of the circle was not measured, so it decides only where the rest is
nearly even."""
NECK_DEG = 40.0
"""Standard deviation of the head's yaw on the torso."""


def direction_likelihood(box: PersonBox) -> Floats:
    """(2, 24) likelihood of a stated direction by the yaw of torso and head (`CENTRES`); ones without one."""
    if box.head_direction not in HEAD_DIRECTIONS or box.head_direction_score < LEAST_SCORE:
        return np.ones((2, BINS))
    from_front = 2 * np.pi * HEAD_DIRECTIONS.index(box.head_direction) / len(HEAD_DIRECTIONS)
    turns = exp(-0.5 * np.radians(NECK_DEG) ** 2)
    return np.asarray(exp(log(RATIO) / 2 * cos(from_front) * np.array([[turns], [1.0]]) * cos(CENTRES)))
