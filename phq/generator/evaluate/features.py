"""What a picture is turned into before distributions are compared: numbers of an image network."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from phq.system.arrays import Image
from phq.weights.devices import open_session

SIDE = 224
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
"""Of ImageNet, RGB in 0..1."""


class Extractor(Protocol):
    """A network that gives features."""

    def __call__(self, images: Image) -> NDArray[np.float32]:
        """Features (B, D) of pictures (B, H, W, 3), RGB."""


class MobileNetV2:
    """The 1,280 pooled features of an ImageNet MobileNetV2 (Sandler et al. 2018), for FD-MobileNetV2.

    A picture is brought to 224², by area where it shrinks and bilinearly where it grows, and goes through the network
    by itself: its features depend on no other.
    """

    def __init__(self) -> None:
        self.session = open_session("mobilenetv2")

    def __call__(self, images: Image) -> NDArray[np.float32]:
        """See `Extractor`."""
        return np.concatenate([self._one(image) for image in images])

    def _one(self, image: Image) -> NDArray[np.float32]:
        how = cv2.INTER_AREA if image.shape[0] > SIDE else cv2.INTER_LINEAR
        resized = cv2.resize(image, (SIDE, SIDE), interpolation=how).astype(np.float32)
        inputs = ((resized / np.float32(255) - MEAN) / STD).transpose(2, 0, 1)[None]
        (features,) = self.session.run(["feat"], {"x": np.ascontiguousarray(inputs)})
        return np.asarray(features, np.float32)
