"""SCRFD (Guo et al. 2021) of a model pack: boxes and five points of faces."""

from __future__ import annotations

import numpy as np

from phq.detect.backends.insightface.pack import file_of, model_zoo, weight_of
from phq.people.person import Face
from phq.system.arrays import Floats, Image
from phq.weights.devices import open_onnx
from phq.weights.embedded import Weight

SIDE = 320
LEAST = 0.05
"""Score below which a place is not even looked at."""


class Scrfd:
    """`detect(square)` → the surest face of a square RGB picture."""

    name = "insightface"
    side = SIDE

    def __init__(self, weights: str = "") -> None:
        path = file_of(weights, "detection")
        self.model = model_zoo().SCRFD(model_file=str(path), session=open_onnx(path))
        self.model.prepare(0, det_thresh=LEAST, input_size=(SIDE, SIDE))

    @classmethod
    def weights(cls, weights: str = "") -> tuple[Weight, ...]:
        """The detection network of the pack."""
        return (weight_of(weights, "detection"),)

    def detect(self, square: Image) -> Face:
        """See `phq.detect.backends.protocols.FaceNetwork`; score 0 where there is nothing."""
        boxes, points = self.model.detect(np.ascontiguousarray(square[..., ::-1]))
        return best_face(np.asarray(boxes, np.float64), np.asarray(points, np.float64), len(square))


def best_face(boxes: Floats, points: Floats, side: int) -> Face:
    """The surest of N faces, in fractions of the side.

    Args:
        boxes: (N, 5) x0, y0, x1, y1, score.
        points: (N, 5, 2), the subject's right eye first, as CenterFace has them.
    """
    if not len(boxes):
        return Face(0.0, np.zeros(4), np.zeros((5, 2)))
    best = int(np.argmax(boxes[:, 4]))
    return Face(float(boxes[best, 4]), boxes[best, :4] / side, points[best] / side)
