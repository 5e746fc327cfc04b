"""A second discriminator, which sees pictures through a network of ImageNet that is not trained.

Projected GANs (Sauer et al. 2021): several scales of frozen features, mixed by random weights that stay as they are,
each with a small discriminator of its own. Spectral norms and group norms stand in for a penalty on slopes; the camera
is compared by projection (Miyato & Koyama 2018).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils.parametrizations import spectral_norm

from phq.generator.networks import symmetry
from phq.generator.networks.conditioning import CAMERA
from phq.generator.networks.features import WIDTHS, ImageFeatures
from phq.generator.networks.layers import SLOPE, FullyConnected, normalised

WIDTH = 48
"""Channels of the small discriminators."""
LARGEST = 6
"""Side of their last maps, at most."""
SCALES = (1.4, 1.0, 0.5, 0.14)
"""Standard deviations of the frozen features of pictures."""


class Head(nn.Module):
    """Logits (B, H · W) of one scale of features.

    Args:
        inputs: channels of the features.
        side: of the features.
        scale: standard deviation of the features.
    """

    mixing: Tensor

    def __init__(self, inputs: int, side: int, scale: float) -> None:
        super().__init__()
        self.register_buffer("mixing", torch.randn(WIDTH, inputs, 1, 1) / (scale * math.sqrt(inputs)))
        steps = [2] * max(0, math.ceil(math.log2(side / LARGEST)))
        self.convs = nn.ModuleList(spectral_norm(nn.Conv2d(WIDTH, WIDTH, 3, s, 1)) for s in [*steps, 1])
        self.norms = nn.ModuleList(nn.GroupNorm(4, WIDTH) for _ in self.convs)
        self.out = spectral_norm(nn.Conv2d(WIDTH, WIDTH, 1))

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        """features (B, C, side, side), condition (B, WIDTH)."""
        x = F.conv2d(features, self.mixing)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.leaky_relu(norm(conv(x)), SLOPE)
        logits: Tensor = (self.out(x) * condition[:, :, None, None]).sum(dim=1) / math.sqrt(WIDTH)
        return logits.flatten(1)


class FeatureCritic(nn.Module):
    """How real pictures look, by their features and cameras.

    Args:
        side: that pictures are brought to, pixels; a multiple of 32.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.features = ImageFeatures(side)
        self.heads = nn.ModuleList(
            Head(width, side // (4 << i), scale) for i, (width, scale) in enumerate(zip(WIDTHS, SCALES, strict=True))
        )
        self.embed = FullyConnected(CAMERA, WIDTH)

    def look(self, images: Tensor, camera: Tensor) -> list[Tensor]:
        """Features of images (B, 3, R, R) in −1 to 1 by cameras (B, 25), seen from the subject's right."""
        seen: list[Tensor] = self.features(
            symmetry.where_left(symmetry.on_left(camera), symmetry.mirror_images, images)
        )
        return seen

    def forward(self, features: Sequence[Tensor], camera: Tensor) -> list[Tensor]:
        """Logits (B, places) of each scale."""
        turned = symmetry.where_left(symmetry.on_left(camera), symmetry.mirror_camera, camera)
        condition = normalised(self.embed(turned))
        return [head(seen, condition) for head, seen in zip(self.heads, features, strict=True)]
