"""From the raw image and its features to the final image (EG3D's super-resolution modules)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from phq.generator.config import ModelConfig
from phq.generator.networks.filters import resize
from phq.generator.networks.synthesis import SynthesisBlock


class SuperResolution(nn.Module):
    """Two StyleGAN2 blocks without pixel noise, driven by the last style.

    The second doubles the side, the first if it has to. For 512² from 128² that is EG3D's "8XDC", for 256² from 128²
    its "4X".
    """

    def __init__(self, config: ModelConfig, precision: torch.dtype) -> None:
        super().__init__()
        self.input = config.superres.input
        first, second = config.superres.channels
        side = config.resolution
        up = side == 4 * self.input
        self.blocks = nn.ModuleList(
            SynthesisBlock(a, b, 3, config.style, s, up=double, noise=False, precision=precision)
            for a, b, s, double in ((config.render.features, first, side // 2, up), (first, second, side, True))
        )

    def forward(self, raw: Tensor, features: Tensor, w: Tensor) -> Tensor:
        """raw (B, 3, r, r), features (B, F, r, r), w (B, style) → (B, 3, side, side)."""
        x, image = resize(features, self.input), resize(raw, self.input)
        for block in self.blocks:
            x, image = block(x, image, w[:, None].expand(-1, 3, -1), [None, None])
        return image
