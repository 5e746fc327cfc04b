"""CenterFace (Xu et al. 2019) on a square round the head."""

from __future__ import annotations

import cv2
import numpy as np

from phq.people.person import Face, Faces
from phq.system.arrays import Floats, Image
from phq.system.elementary import exp
from phq.weights.devices import open_session
from phq.weights.embedded import Weight, embedded

SIDE = 320
"""The square is shown to the network at this side: a head of about 200 px, where it is at its best."""
STRIDE = 4
MAPS = ("537", "538", "539")
"""Outputs of the network: heat, size, offset; the landmarks are a fourth."""
WEAKEST = 0.1
"""Peaks below this are not faces; it bounds their number."""
FACE_FOUND = 0.5
"""Score from which a face counts as found."""


def decode(heat: Floats, scale: Floats, offset: Floats, landmarks: Floats) -> Face:
    """The highest peak of the network's maps (1 × C × h × w, stride 4), whatever its score."""
    row, column = np.unravel_index(int(np.argmax(heat[0, 0])), heat.shape[2:])
    height, width = exp(scale[0, :, row, column]) * STRIDE
    dy, dx = offset[0, :, row, column]
    x0 = (column + dx + 0.5) * STRIDE - width / 2
    y0 = (row + dy + 0.5) * STRIDE - height / 2
    points = landmarks[0, :, row, column].reshape(5, 2)[:, ::-1] * [width, height] + [x0, y0]
    box = np.array([x0, y0, x0 + width, y0 + height], dtype=np.float64)
    return Face(float(heat[0, 0, row, column]), box / SIDE, points / SIDE)


def peaks(heat: Floats, size: Floats, offset: Floats) -> Faces:
    """All peaks of the network's maps, as fractions of the square's side.

    Args:
        heat: h × w.
        size, offset: 2 × h × w, logarithm of height and width, and y and x, both in cells.
    """
    top = heat >= cv2.dilate(heat, np.ones((3, 3), np.uint8))
    rows, columns = np.nonzero(top & (heat >= WEAKEST))
    order = np.argsort(-heat[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    middle = np.stack([columns, rows], 1) + 0.5 + offset[::-1, rows, columns].T
    half = exp(size[::-1, rows, columns].T) / 2
    boxes = np.concatenate([middle - half, middle + half], 1) * (STRIDE / SIDE)
    return Faces(boxes.astype(np.float64), heat[rows, columns].astype(np.float64))


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
        return self.look(square)[0]

    def look(self, square: Image) -> tuple[Face, Faces]:
        """That face, and all of them (`peaks`)."""
        bgr = np.ascontiguousarray(square[..., ::-1].transpose(2, 0, 1)[None], dtype=np.float32)
        heat, size, offset, points = self.session.run([*MAPS, "540"], {"input.1": bgr})
        return decode(heat, size, offset, points), peaks(heat[0, 0], size[0], offset[0])
