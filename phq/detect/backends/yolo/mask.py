"""A network of ultralytics for masks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phq.detect.backends.yolo.decode import best_mask
from phq.detect.backends.yolo.detector import WANTS, WEAK
from phq.detect.backends.yolo.network import Network, weight_of
from phq.system.arrays import Image
from phq.weights.embedded import Weight


class YoloMask:
    """`segment(crop, hint)` → the mask of the person that agrees best with the hint, of ``-seg`` weights.

    It is 0 or 1: the guided filter afterwards leads it to the edges of the picture.
    """

    name = "yolo"

    wants = WANTS

    def __init__(self, weights: str = "") -> None:
        self.network = Network(weight_of(weights or "yolo11n-seg", "person masks")[0], ("segment",))

    @classmethod
    def weights(cls, weights: str = "") -> tuple[Weight, ...]:
        """See `phq.detect.backends.protocols.Backend`."""
        return (weight_of(weights or "yolo11n-seg", "person masks")[1],)

    def segment(self, crop: Image, hint: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `phq.detect.backends.protocols.MaskNetwork`; the hint itself where no mask agrees with it."""
        mask = best_mask(self.network.look([crop], WEAK, retina_masks=True)[0], hint)
        return hint if mask is None else mask
