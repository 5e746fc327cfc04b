"""From interpolated features to density and colour features (EG3D's decoder, without an output activation)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from phq.generator.networks.layers import FullyConnected


class Decoder(nn.Module):
    """Features (B, C, N) to raw density σ (B, N) and colour features (B, F, N) by one hidden layer with softplus."""

    def __init__(self, inputs: int, hidden: int, features: int) -> None:
        super().__init__()
        self.hidden = FullyConnected(inputs, hidden)
        self.out = FullyConnected(hidden, 1 + features)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Channels stay in front, so that nothing is transposed."""
        y = _each_point(self.out, F.softplus(_each_point(self.hidden, x)))
        return y[:, 0], y[:, 1:]


def _each_point(layer: FullyConnected, x: Tensor) -> Tensor:
    weight, bias = layer.scaled()
    return torch.baddbmm(bias[None, :, None], weight.expand(len(x), -1, -1), x)
