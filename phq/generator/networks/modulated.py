"""StyleGAN2's modulated convolution, and the layers built of it (Karras et al. 2020, section 2.2)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from phq.generator.networks.filters import smooth
from phq.generator.networks.layers import GAIN, SLOPE, FullyConnected, bounded


def modulated_conv(x: Tensor, weight: Tensor, style: Tensor, up: bool = False) -> tuple[Tensor, Tensor]:
    """Convolution with weights w'_oik = s_i w_oik, each output's still to be divided by its norm √(Σ w'² + 1e-8).

    The weights are not formed for each sample: scaling the inputs by s and the outputs by 1 / norm gives the same and
    needs one ordinary convolution. The caller scales the outputs, which are large, with all else it does to them.

    Args:
        x: (B, I, H, W).
        weight: (O, I, k, k), k odd.
        style: (B, I).
        up: twice the side: a transposed convolution, then the resampling filter with a sum of 4.

    Returns:
        the convolution of the scaled inputs, (B, O, H, W) or (B, O, 2H, 2W), and 1 / norm (B, O, 1, 1), both in the
        type of x.
    """
    if x.dtype == torch.float16:  # the norm undoes both, and float16 does not overflow
        weight = weight / weight.abs().amax(dim=(1, 2, 3), keepdim=True)
        style = style / style.abs().amax(dim=1, keepdim=True)
    scaled = x * style[:, :, None, None].to(x.dtype)
    if up:
        y = smooth(F.conv_transpose2d(scaled, weight.transpose(0, 1).to(x.dtype), stride=2), pad=1, gain=4)
    else:
        y = F.conv2d(scaled, weight.to(x.dtype), padding=weight.shape[-1] // 2)
    norm = (style.square() @ weight.square().sum(dim=(2, 3)).T + 1e-8).rsqrt()
    return y, norm[:, :, None, None].to(x.dtype)


class StyledConv(nn.Module):
    """Modulated 3×3 convolution, noise, bias, √2 · leaky ReLU.

    Args:
        up: twice the side.
        noise: whether pixel noise of learned strength is added (from 0).
        kept: side of the picture of noise that is added where none is drawn; 0 for none.
    """

    still: Tensor | None
    """(kept, kept)"""

    def __init__(
        self, inputs: int, outputs: int, style: int, up: bool = False, noise: bool = True, kept: int = 0
    ) -> None:
        super().__init__()
        self.register_buffer("still", torch.randn(kept, kept) if kept else None)
        self.affine = FullyConnected(style, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.strength = nn.Parameter(torch.zeros(())) if noise else None
        self.up = up

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        """x (B, inputs, H, W), w (B, style), noise (B, 1, H', W') of the result's size or None."""
        y, norm = modulated_conv(x, self.weight, self.affine(w), self.up)
        # leaky ReLU commutes with √2, and what is computed here is large: it is written once, then changed in place
        y = torch.addcmul((self.bias * GAIN)[:, None, None].to(y.dtype), y, norm * GAIN)
        noise = self.still if noise is None else noise
        if noise is not None and self.strength is not None:
            y = y.add_((noise * (self.strength * GAIN)).to(y.dtype))
        return bounded(F.leaky_relu_(y, SLOPE))


class ToColour(nn.Module):
    """Modulated 1×1 convolution without a norm, and a bias: features to the channels of an image, in float32."""

    def __init__(self, inputs: int, outputs: int, style: int) -> None:
        super().__init__()
        self.affine = FullyConnected(style, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.gain = 1 / math.sqrt(inputs)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x (B, inputs, H, W), w (B, style) → (B, outputs, H, W)."""
        weight = (self.weight * (self.affine(w) * self.gain)[:, None]).to(x.dtype)
        y = torch.baddbmm(self.bias[:, None].to(x.dtype), weight, x.flatten(2)).reshape(x.shape[0], -1, *x.shape[2:])
        return bounded(y).to(w.dtype)
