"""Head or shoulders of a person behind somebody else: whose mask is surer where the fitted body should be seen."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from phq.align.soft_mask import soft_mask
from phq.people import Person
from phq.pose import template
from phq.quality.framing import head_disc, in_picture

GRID = 128
"""Cells a side in which masks are compared."""
SURE = 0.5
"""Soft mask from which a cell belongs to somebody."""
LEAD = 0.2
"""By so much another person's mask must be surer than the person's own."""
SHOULDER = 0.055
"""Metres from the line of the shoulders that count as shoulder."""


def expected(person: Person, size: int) -> NDArray[np.bool_]:
    """size × size cells of the crop where head and shoulders of the fitted body should be seen."""
    (x, y), radius = head_disc(person.fields)
    shoulders = template.symmetric_points(("left_shoulder", "right_shoulder"))
    joints, metre = in_picture(shoulders, person.fields)
    picture = np.zeros((size, size), np.uint8)
    # OpenCV draws nothing sensible beyond 16 bits
    places = np.rint([*(joints * size), [x * size, y * size]])
    left, right, head = np.clip(places, -8 * size, 8 * size).astype(int).tolist()
    thickness = max(1, round(2 * SHOULDER * metre.mean() * size))
    cv2.line(picture, left, right, 1, thickness)
    cv2.circle(picture, head, max(1, round(radius * size)), 1, -1)
    return picture > 0


def occluded(person: Person) -> float:
    """Fraction of head and shoulders, inside the photo, that another person of the photo covers, 0 to 1.

    Looks at the masks of everybody whose landmarks were found, so at nobody in a labelled set.
    """
    others = [other for other in person.photo.people if other is not person and other.runs]
    if not others or not person.runs or person.crop is None:
        return 0.0
    to_source = np.array(person.fields["crop_to_source"], np.float64)
    to_source[:, :2] *= len(person.crop) / GRID
    own = soft_mask(person.runs, to_source, GRID)
    theirs = np.max([soft_mask(other.runs, to_source, GRID) for other in others], axis=0)
    return occluded_fraction(expected(person, GRID), own, theirs)


def occluded_fraction(region: NDArray[np.bool_], own: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """Fraction of a region where another person's soft mask is sure and plainly surer than the own one."""
    covered = region & (theirs > SURE) & (theirs > own + LEAD)
    return float(covered.sum() / max(1, region.sum()))
