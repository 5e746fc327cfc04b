"""CenterFace (Xu et al. 2019) on a square round the head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phq.keypoints.region import apply_affine
from phq.weights import Weight, embedded, open_session
from phq.work import Floats, Image

SIDE = 320
"""The square is shown to the network at this side: a head of about 200 px, where it is at its best."""
STRIDE = 4
FACE_FOUND = 0.5
"""Score from which a face counts as found."""


@dataclass(frozen=True)
class Face:
    """Best face of a picture, in its pixels; from `CenterFace` itself in fractions of its side."""

    score: float
    box: Floats
    """(4,) x0, y0, x1, y1."""
    points: Floats
    """(5, 2) subject's right eye, left eye, nose, right and left mouth corner, as the network orders them."""

    def moved(self, affine: Floats) -> Face:
        """The same face through a 2×3 affine that does not turn."""
        return Face(self.score, apply_affine(affine, self.box.reshape(2, 2)).ravel(), apply_affine(affine, self.points))


def decode(heat: Floats, scale: Floats, offset: Floats, landmarks: Floats) -> Face:
    """The highest peak of the network's maps (1 × C × h × w, stride 4), whatever its score."""
    row, column = np.unravel_index(int(np.argmax(heat[0, 0])), heat.shape[2:])
    height, width = np.exp(scale[0, :, row, column]) * STRIDE
    dy, dx = offset[0, :, row, column]
    x0 = (column + dx + 0.5) * STRIDE - width / 2
    y0 = (row + dy + 0.5) * STRIDE - height / 2
    marks = landmarks[0, :, row, column].reshape(5, 2)[:, ::-1] * [width, height] + [x0, y0]
    box = np.array([x0, y0, x0 + width, y0 + height], dtype=np.float64)
    return Face(float(heat[0, 0, row, column]), box / SIDE, marks / SIDE)


class CenterFace:
    """`detect(square)` → the most face-like place of a square RGB picture."""

    name = "centerface"
    side = SIDE

    def __init__(self, weights: str = "") -> None:
        self.session = open_session(self.weights(weights)[0].name)

    @classmethod
    def weights(cls, weights: str = "") -> tuple[Weight, ...]:
        """The embedded network; there is but one."""
        return (embedded("centerface", weights),)

    def detect(self, square: Image) -> Face:
        """Best face of a `SIDE` × `SIDE` × 3 RGB picture; its score may be low."""
        bgr = np.ascontiguousarray(square[..., ::-1].transpose(2, 0, 1)[None], dtype=np.float32)
        return decode(*self.session.run(["537", "538", "539", "540"], {"input.1": bgr}))
