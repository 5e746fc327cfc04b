"""ArcFace (Deng et al. 2019) of a model pack: 512 numbers a face, close together for one person."""

from __future__ import annotations

import warnings

import numpy as np

from phq.detect.backends.insightface.pack import file_of, model_zoo, weight_of
from phq.detect.face_crop import to_unit
from phq.people.person import Face
from phq.system.arrays import Floats, Image
from phq.weights.devices import open_onnx
from phq.weights.embedded import Weight


class ArcFace:
    """`embed(pixels, face)` → 512 numbers of unit length, of the face turned and scaled to its five points."""

    name = "insightface"
    same = 0.4
    """The threshold of insightface's own programs (``gui/core/constants.py`` of 2.1); not measured by phq."""

    def __init__(self, weights: str = "") -> None:
        path = file_of(weights, "recognition")
        self.model = model_zoo().ArcFaceONNX(model_file=str(path), session=open_onnx(path))

    @classmethod
    def weights(cls, weights: str = "") -> tuple[Weight, ...]:
        """The recognition network of the pack."""
        return (weight_of(weights, "recognition"),)

    def embed(self, pixels: Image, face: Face) -> Floats:
        """See `phq.detect.backends.protocols.IdentityNetwork`."""
        from insightface.utils.face_align import norm_crop

        part, points = around(pixels, face)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # insightface calls scikit-image in a way that is going out of use
            shown = norm_crop(np.ascontiguousarray(part[..., ::-1]), points.astype(np.float32))
        return to_unit(self.model.get_feat(shown)[0])


def around(pixels: Image, face: Face) -> tuple[Image, Floats]:
    """The part of a photo within one size of a face, all that an aligned face can show, and the face's points in it.

    OpenCV refuses pictures from 32,767 pixels a side.
    """
    low, high = face.box[:2], face.box[2:]
    reach = float(max(high - low))
    x0, y0 = np.clip(np.floor(low - reach), 0, None).astype(int).tolist()
    x1, y1 = np.ceil(high + reach).astype(int).tolist()
    part = pixels[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
    if not part.size:
        return np.zeros((1, 1, 3), np.uint8), face.points
    return part, face.points - [x0, y0]
