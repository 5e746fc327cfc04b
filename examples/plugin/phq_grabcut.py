"""A mask back end for phq: GrabCut (Rother, Kolmogorov and Blake 2004), started from the landmark network's mask."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from phq.system.arrays import Image
from phq.weights.embedded import Weight

SIDE = 256
"""GrabCut runs at this side; phq leads the mask to the edges of the crop afterwards."""
ROUNDS = 3


class GrabCut:
    """`segment(crop, hint)`: what has the colours of the hint's inside and not those of its outside."""

    name = "grabcut"

    def __init__(self, weights: str = "") -> None:
        """Nothing to load."""

    @classmethod
    def weights(cls, weights: str = "") -> tuple[Weight, ...]:
        """None."""
        return ()

    def segment(self, crop: Image, hint: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `phq.detect.backends.protocols.MaskNetwork`."""
        small = cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        soft = cv2.resize(hint, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        labels = np.select(
            [soft > 0.95, soft > 0.5, soft > 0.05], [cv2.GC_FGD, cv2.GC_PR_FGD, cv2.GC_PR_BGD], cv2.GC_BGD
        ).astype(np.uint8)
        if (soft > 0.5).all() or not (soft > 0.5).any():
            return hint  # nothing to tell apart
        cv2.setRNGSeed(0)  # the same answer whatever was asked before
        cv2.grabCut(small, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), ROUNDS, cv2.GC_INIT_WITH_MASK)
        inside = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
        return np.asarray(cv2.resize(inside, hint.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
