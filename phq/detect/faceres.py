"""FaceRes of HSE (Savchenko 2019: one network for identity, age and gender): the identity part, embedded in phq."""

from __future__ import annotations

import numpy as np

from phq.detect.face_crop import to_unit
from phq.people.person import Face
from phq.photos.region import Region, sample
from phq.system.arrays import Floats, Image
from phq.system.resources import Resources
from phq.weights.devices import open_session
from phq.weights.embedded import Weight, embedded

SIDE = 224
MARGIN = 1.2
"""The square that is shown, over the longer side of the face's box."""


def upright_region(face: Face) -> Region:
    """Square round a face's box."""
    (x0, y0), (x1, y1) = face.box[:2], face.box[2:]
    return Region((x0 + x1) / 2, (y0 + y1) / 2, MARGIN * max(x1 - x0, y1 - y0))


class FaceRes:
    """`embed(pixels, face)` → 1024 numbers of unit length."""

    name = "faceres"
    same = 0.65
    """Measured (docs/swap-networks.md); on the safe side, since one wrong link joins two whole groups."""
    wants = Resources(memory=60 << 20)

    def __init__(self, weights: str = "") -> None:
        self.session = open_session(self.weights(weights)[0].name)

    @classmethod
    def weights(cls, weights: str = "") -> tuple[Weight, ...]:
        """The embedded network; there is but one."""
        return (embedded("faceres", weights),)

    def embed(self, pixels: Image, face: Face) -> Floats:
        """See `phq.detect.backends.protocols.IdentityNetwork`."""
        shown = sample(pixels, upright_region(face), SIDE)[None].astype(np.float32)
        return to_unit(self.session.run(["global_pooling/Mean"], {"input_1:0": shown})[0][0])
