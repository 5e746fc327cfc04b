"""The mapping network: latent and conditioning to styles (Karras et al. 2019; conditioning as in StyleGAN2-ADA)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from phq.generator.networks.layers import FullyConnected, normalised

RATE = 0.01
"""Learning rate of its layers relative to the rest."""
DECAY = 0.998
"""Of the running average of w, each batch."""


class MappingNetwork(nn.Module):
    """z (B, latent) and labels (B, L) to w (B, style).

    Both are normalised to a mean square of one, the labels after an embedding of as many numbers as w has. With
    `latent` or `labels` 0 that half is absent.
    """

    average: Tensor
    """(style,) running average of w."""

    def __init__(self, latent: int, labels: int, style: int, layers: int) -> None:
        super().__init__()
        self.embed = FullyConnected(labels, style) if labels else None
        inputs = latent + (style if labels else 0)
        widths = [inputs, *[style] * layers]
        self.layers = nn.ModuleList(FullyConnected(a, b, activate=True, rate=RATE) for a, b in pairwise(widths))
        self.register_buffer("average", torch.zeros(style))

    def forward(self, z: Tensor | None, labels: Tensor | None) -> Tensor:
        """w (B, style)."""
        halves = [] if z is None else [normalised(z)]
        if self.embed is not None:
            halves.append(normalised(self.embed(labels)))
        x = torch.cat(halves, dim=1)
        for layer in self.layers:
            x = layer(x)
        return x

    @torch.no_grad()
    def update_average(self, w: Tensor) -> None:
        """Take a batch w (B, style) into the running average."""
        self.average.copy_(w.detach().mean(dim=0).lerp(self.average, DECAY))

    def truncate(self, w: Tensor, truncation: float) -> Tensor:
        """w drawn towards the average: 1 leaves it, 0 gives the average."""
        return w if truncation == 1 else torch.lerp(self.average, w, truncation)
