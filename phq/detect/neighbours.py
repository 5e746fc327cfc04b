"""The photo as one person's networks see it: without the neighbours.

Networks for one person take the most striking one in the square they are shown. Beside a back that is whoever shows a
face: on pairs of rendered people the label was the neighbour's in one case of five (docs/log.md).
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from phq.people.person import Person, known
from phq.system.arrays import Floats, Image, Ints

REACH = 1.0
"""Neighbours count within this many times the box's longer side: no region of the landmark network goes further."""
CELLS = 4
"""A neighbour is left as so many blotches across."""


def views(people: list[Person]) -> Iterator[list[tuple[Person, Image]]]:
    """Batches of people with the pixels that are theirs: everybody without neighbours, then the others one by one.

    So no more than one copy of a photo is held at a time.

    Args:
        people: of decoded photos.
    """
    crowds = [neighbours_of(person) for person in people]
    yield [(p, known(p.photo.pixels)) for p, others in zip(people, crowds, strict=True) if not len(others)]
    for person, others in zip(people, crowds, strict=True):
        if len(others):
            yield [(person, without(known(person.photo.pixels), person.box.edges, others))]


def own_pixels(person: Person) -> Image:
    """The photo without the person's neighbours; the photo's own array where there are none."""
    others = neighbours_of(person)
    pixels = known(person.photo.pixels)
    return without(pixels, person.box.edges, others) if len(others) else pixels


def neighbours_of(person: Person) -> Floats:
    """(N, 4) boxes of the photo's other people within `REACH`."""
    box = person.box.edges
    far = REACH * max(box[2] - box[0], box[3] - box[1])
    others = [p.box.edges for p in person.photo.people if p is not person]
    near = [o for o in others if (o[:2] < box[2:] + far).all() and (o[2:] > box[:2] - far).all()]
    return np.array(near).reshape(-1, 4)


def without(pixels: Image, box: Floats, others: Floats) -> Image:
    """A copy of a photo in which the neighbours are blotches of their own colours.

    Where boxes overlap, a column belongs to the box in which it lies nearer to the middle, relative to the width.

    Args:
        pixels: H × W × 3.
        box: x0, y0, x1, y1 of the person, pixels.
        others: (N, 4) of the neighbours.
    """
    out = pixels.copy()
    for other in others:
        x0, y0 = (int(max(0, v)) for v in other[:2])
        x1, y1 = (int(min(np.ceil(v), limit)) for v, limit in zip(other[2:], pixels.shape[1::-1], strict=True))
        if x1 > x0 and y1 > y0:
            part, blotches = out[y0:y1, x0:x1], _blotches(pixels[y0:y1, x0:x1])
            rows, columns = _mine(np.arange(x0, x1) + 0.5, np.arange(y0, y1) + 0.5, box, other)
            blotches[rows, columns] = part[rows, columns]
            part[...] = blotches
    return out


def _mine(x: Floats, y: Floats, box: Floats, other: Floats) -> tuple[slice, Ints]:
    """Rows and columns of what is the person's in the neighbour's box."""
    first, end = np.searchsorted(y, box[1], side="right"), np.searchsorted(y, box[3])
    columns = (x > box[0]) & (x < box[2]) & (_off_middle(x, box) <= _off_middle(x, other))
    return slice(first, end), np.flatnonzero(columns)


def _off_middle(x: Floats, box: Floats) -> Floats:
    """0 in the middle of a box, 1 at its sides."""
    return np.asarray(np.abs(x - (box[0] + box[2]) / 2) / max((box[2] - box[0]) / 2, 1e-6))


def _blotches(part: Image) -> Image:
    height, width = part.shape[:2]
    few = cv2.resize(part, (CELLS, max(1, round(CELLS * height / width))), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(few, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
