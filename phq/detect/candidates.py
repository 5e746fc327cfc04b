"""Candidates of one detector: boxes, scores and keypoints together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from phq.detect.boxes import Boxes, covered, iou, nms

PART_INSIDE = 0.6
"""Fraction of a cut box that must lie in a whole one to be a part of the same person."""

PART_FILLS = 0.25
"""Least intersection over union of a part and the box it belongs to."""


@dataclass(frozen=True)
class Candidates:
    """N candidates of one detector, in pixels."""

    boxes: Boxes
    """(N, 4)."""
    scores: Boxes
    """(N,) in 0..1."""
    keypoints: Boxes
    """(N, 17, 3) COCO keypoints x, y, score; zeros from a detector without keypoints."""
    facing: Boxes
    """(N, 2) direction of the head, a number in `phq.schema.HEAD_DIRECTIONS`, and its score, 0 if none is stated."""

    @classmethod
    def of(cls, boxes: Boxes, scores: Boxes, keypoints: Boxes | None = None) -> Candidates:
        """From any array-likes; without keypoints they are zeros."""
        b, s = np.asarray(boxes, float).reshape(-1, 4), np.asarray(scores, float).reshape(-1)
        points = np.zeros((len(b), 17, 3)) if keypoints is None else np.asarray(keypoints, float)
        return cls(b, s, points, np.zeros((len(b), 2)))

    def __len__(self) -> int:
        return len(self.scores)

    def at(self, index: Any) -> Candidates:
        """Those at an index array or mask."""
        return Candidates(self.boxes[index], self.scores[index], self.keypoints[index], self.facing[index])

    def moved(self, x: float, y: float) -> Candidates:
        """All shifted by (x, y) pixels."""
        return replace(self, boxes=self.boxes + [x, y, x, y], keypoints=self.keypoints + [x, y, 0])

    def distinct(self, max_iou: float) -> Candidates:
        """Best first, without those that overlap a better one."""
        return self.at(nms(self.boxes, self.scores, max_iou))

    def with_parts(self, parts: Candidates, threshold: float) -> Candidates:
        """These, raised to the score of the surest part of them, and the sure parts that belong to none.

        A part is a box that ends at the border of a tile: half a person is neither a second person nor a better box
        for the first, but it is evidence for the whole one; alone it is a person that only a tile shows. It
        belongs to the box that it fills most, of those that hold it.
        """
        inside = covered(parts.boxes, self.boxes) > PART_INSIDE
        fit = np.where(inside, iou(parts.boxes, self.boxes), 0.0)
        owned = fit.max(1, initial=0) > PART_FILLS
        raised = self.scores.copy()
        for part in np.flatnonzero(owned):
            owner = int(np.argmax(fit[part]))
            raised[owner] = max(raised[owner], parts.scores[part])
        explained = owned | (inside & (self.scores >= threshold)).any(1)
        orphans = parts.at(~explained & (parts.scores >= threshold))
        return united([replace(self, scores=raised), orphans])


def united(several: list[Candidates]) -> Candidates:
    """All of them in one."""
    none = Candidates.of(np.zeros((0, 4)), np.zeros(0))
    parts = [none, *several]
    return Candidates(
        np.concatenate([c.boxes for c in parts]),
        np.concatenate([c.scores for c in parts]),
        np.concatenate([c.keypoints for c in parts]),
        np.concatenate([c.facing for c in parts]),
    )
