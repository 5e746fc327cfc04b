"""Other people before head and shoulders: by their masks, and by their boxes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from phq.align.soft_mask import soft_mask
from phq.people.person import Person, known
from phq.photos.region import apply_affine, invert_affine
from phq.pose import template
from phq.quality.framing import in_picture, person_head_disc

GRID = 128
"""Cells a side in which masks are compared."""
BOX_GRID = 64
"""Cells a side on which boxes are united."""
SURE = 0.5
"""Soft mask from which a cell belongs to a person."""
LEAD = 0.2
"""By so much another person's mask must be surer than the person's own."""
SHOULDER = 0.055
"""Metres from the line of the shoulders that count as shoulder."""


def expected(person: Person, size: int) -> NDArray[np.bool_]:
    """size × size cells of the crop where head and shoulders of the fitted body are expected."""
    (x, y), radius = person_head_disc(person)
    shoulders = template.symmetric_points(("left_shoulder", "right_shoulder"))
    joints, metre = in_picture(shoulders, known(person.camera))
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

    Compares the masks of people with landmarks; an imported person has none, and scores 0.
    """
    others = [other for other in person.photo.people if other is not person and other.runs]
    if not others or not person.runs or person.crop is None:
        return 0.0
    to_source = np.array(known(person.frame).crop_to_source, np.float64)
    to_source[:, :2] *= len(person.crop) / GRID
    own = soft_mask(person.runs, to_source, GRID)
    theirs = np.max([soft_mask(other.runs, to_source, GRID) for other in others], axis=0)
    return occluded_fraction(expected(person, GRID), own, theirs)


def occluded_fraction(region: NDArray[np.bool_], own: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """Fraction of a region where another person's soft mask is sure and plainly surer than the own one."""
    covered = region & (theirs > SURE) & (theirs > own + LEAD)
    return float(covered.sum() / max(1, region.sum()))


def others_in_crop(person: Person) -> float:
    """Fraction of the crop under other people's boxes."""
    frame = known(person.frame)
    to_crop = invert_affine(frame.crop_to_source)
    grid = np.zeros((BOX_GRID, BOX_GRID), bool)
    for other in person.photo.people:
        if other is person:
            continue
        corners = apply_affine(to_crop, other.box.edges.reshape(2, 2)).ravel() * (BOX_GRID / frame.image_size)
        x0, y0, x1, y1 = np.clip(np.rint(corners), 0, BOX_GRID).astype(int)
        grid[y0:y1, x0:x1] = True
    return float(grid.mean())
