"""DEIMv2-Wholebody (Hyodo 2025, on DEIMv2 of Huang et al. 2025) as a person detector, from its ONNX export.

Output ``label_xyxy_score`` (1, Q, 6): class, x0, y0, x1, y1 as fractions of the picture, score; one row an object,
not suppressed further. Input ``images``: the picture stretched to the file's size, red first, 0 to 1; ``input_bgr``
(files with preparation built in): the picture blue first, 0 to 255. In all releases of the family (34, 40, 48 and 49
classes) class 0 is the body, 7 the head, and 8 to 15 are the head again by its direction.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from phq.detect.backends.files import MAX_IOU, Family, TiledDetector, expect_output
from phq.detect.boxes import Boxes, covered
from phq.detect.candidates import Candidates
from phq.detect.imagenet import resized
from phq.errors import WeightError
from phq.schema import HEAD_DIRECTIONS
from phq.system.arrays import Floats, Image
from phq.system.resources import Resources

FAMILY = Family("deimv2", ("deimv2",), "deimv2-wholebody49-n", "person boxes and head directions")
OUTPUT = "label_xyxy_score"
BODY = 0
FRONT = 8
"""The first of the eight directions of a head."""
SIDE = 640
"""Pixels, if a file leaves its size open."""
PREPARED = "input_bgr"
WEAK = 0.15
"""Score from which a box is kept in mind."""
HEAD_INSIDE = 0.6
"""Fraction of a head's box that lies in the body's, at least."""


def decode(rows: Boxes, width: int, height: int) -> Candidates:
    """Bodies in pixels of the photo with the directions of their heads, best first.

    Args:
        rows: (Q, 6) output of the network.
        width: of the photo, pixels.
        height: of the photo, pixels.
    """
    seen = rows[rows[:, 5] > WEAK].astype(np.float64)
    kinds, scores = np.rint(seen[:, 0]).astype(int), np.clip(seen[:, 5], 0, 1)
    boxes = np.clip(seen[:, 1:5], 0, 1) * [width, height, width, height]
    body, head = kinds == BODY, (kinds >= FRONT) & (kinds < FRONT + len(HEAD_DIRECTIONS))
    bodies = Candidates.of(boxes[body], scores[body]).distinct(MAX_IOU)
    stated = np.column_stack([kinds[head] - FRONT, scores[head]])
    return replace(bodies, facing=facing_of(bodies.boxes, boxes[head], stated))


def facing_of(bodies: Boxes, heads: Boxes, stated: Boxes) -> Boxes:
    """(N, 2) the surest direction of each body's head, zeros where none is stated.

    A head is that of the body whose upper edge is nearest to its own, and at most its height away.

    Args:
        bodies: (N, 4).
        heads: (M, 4).
        stated: (M, 2) direction and score of each.
    """
    found = np.zeros((len(bodies), 2))
    if not len(bodies) or not len(heads):
        return found
    inside = covered(heads, bodies) >= HEAD_INSIDE
    away = np.abs(heads[:, None, 1] - bodies[None, :, 1])
    away = np.where(inside & (away <= (heads[:, 3] - heads[:, 1])[:, None]), away, np.inf)
    for head in np.argsort(stated[:, 1], kind="stable"):
        owner = int(np.argmin(away[head]))
        if np.isfinite(away[head, owner]):
            found[owner] = stated[head]
    return found


class DeimV2(TiledDetector):
    """`detect(pictures, threshold, tiles)` → `Candidates` from `WEAK` up."""

    name = "deimv2"
    family = FAMILY
    threshold = 0.35
    """That of the authors' demonstration."""
    wants = Resources(memory=400 << 20)

    def __init__(self, weights: str = "") -> None:
        self.session = FAMILY.session(weights)
        expect_output(self.session, OUTPUT, 6, "DEIMv2-Wholebody")
        entry = self.session.get_inputs()[0]
        if len(entry.shape) != 4 or entry.shape[1] != 3:
            raise WeightError(f"DEIMv2-Wholebody takes 1 × 3 × height × width, and this file {entry.shape}")
        self.input = entry.name
        self.height, self.width = (side if isinstance(side, int) else SIDE for side in entry.shape[2:])

    def _look(self, pixels: Image) -> Candidates:
        (rows,) = self.session.run([OUTPUT], {self.input: self._shown(pixels)})
        return decode(rows[0], pixels.shape[1], pixels.shape[0])

    def _shown(self, pixels: Image) -> Floats:
        planes = resized(pixels, self.width, self.height).transpose(2, 0, 1).astype(np.float32)
        shown = planes[::-1] if self.input == PREPARED else planes / np.float32(255)
        return np.ascontiguousarray(shown, np.float32)[None]
