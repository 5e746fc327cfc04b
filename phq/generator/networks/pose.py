"""The pose predictor: of the generator from its latent, of the discriminator from what it sees."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from phq.generator.networks.conditioning import CAMERA, POSE
from phq.generator.networks.layers import FullyConnected


class PosePredictor(nn.Module):
    """Features (B, inputs) and camera (B, 25) to neck and head pose (B, 6), radians.

    The last layer starts at zero, so an untrained predictor says the rest pose; 3DPortraitGAN's starts with rotations
    of a radian. Made symmetric by whoever calls it (`phq.generator.networks.symmetry`).
    """

    def __init__(self, inputs: int, hidden: Sequence[int]) -> None:
        super().__init__()
        widths = [inputs + CAMERA, *hidden]
        layers = [FullyConnected(a, b, activate=True) for a, b in pairwise(widths)]
        self.layers = nn.Sequential(*layers, FullyConnected(widths[-1], POSE, scale=0.0))

    def forward(self, features: Tensor, camera: Tensor) -> Tensor:
        """(B, 6)."""
        pose: Tensor = self.layers(torch.cat([features, camera], dim=1))
        return pose
