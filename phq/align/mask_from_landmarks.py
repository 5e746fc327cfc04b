"""The mask that the landmark network gives with its landmarks, as it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phq.system.arrays import Image
from phq.weights.embedded import Weight


class LandmarkMask:
    """`segment(crop, hint)` → the hint."""

    name = "landmarks"

    def __init__(self, weights: str = "") -> None:
        """Nothing to load."""

    @classmethod
    def weights(cls, weights: str = "") -> tuple[Weight, ...]:
        """None of its own."""
        return ()

    def segment(self, crop: Image, hint: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `phq.detect.backends.protocols.MaskNetwork`."""
        return hint
