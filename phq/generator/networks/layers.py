"""Fully connected and convolutional layers with equalised learning rates (Karras et al. 2018, section 4.1).

Weights are drawn from N(0, 1) and scaled at use by 1 / √(inputs), so that one learning rate suits every layer.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from phq.generator.networks.filters import downsample, smooth

SLOPE = 0.2
GAIN = math.sqrt(2)
"""Of leaky ReLU, which halves the second moment."""
CLAMP = 256.0
"""Bound of activations in low precision."""


class FullyConnected(nn.Module):
    """(…, inputs) → (…, outputs), followed by √2 · leaky ReLU if `activate`.

    Args:
        rate: learning rate of this layer relative to the others.
        bias: what the bias starts at.
        scale: standard deviation of the weights at the start; 0 makes the layer give its bias at first.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        activate: bool = False,
        rate: float = 1.0,
        bias: float = 0.0,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * (scale / rate))
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.activate = activate
        self.rate = rate
        self.gain = rate / math.sqrt(inputs)

    def scaled(self) -> tuple[Tensor, Tensor]:
        """Weight (outputs, inputs) and bias (outputs,) as they are used."""
        return self.weight * self.gain, self.bias * self.rate

    def forward(self, x: Tensor) -> Tensor:
        """(…, inputs) → (…, outputs)."""
        weight, bias = self.scaled()
        y = F.linear(x, weight, bias)
        return F.leaky_relu(y, SLOPE) * GAIN if self.activate else y


class Conv(nn.Module):
    """(B, inputs, H, W) → (B, outputs, H, W), or half the side if `down` (filtered before).

    Args:
        kernel: 1 or 3.
        gain: of the result, after the activation.
        bias: whether there is one.
        activate: √2 · leaky ReLU.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        down: bool = False,
        bias: bool = True,
        activate: bool = True,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.down = down
        self.activate = activate
        # leaky ReLU commutes with positive factors: √2 and the gain are put into the weights
        self.output_gain = gain * (GAIN if activate else 1.0)
        self.gain = self.output_gain / math.sqrt(inputs * kernel**2)

    def forward(self, x: Tensor) -> Tensor:
        """In the type of x; the result of float16 and bfloat16 is bounded."""
        weight = (self.weight * self.gain).to(x.dtype)
        bias = None if self.bias is None else (self.bias * self.output_gain).to(x.dtype)
        kernel = weight.shape[-1]
        if not self.down:
            y = F.conv2d(x, weight, bias, padding=kernel // 2)
        elif kernel == 1:
            y = F.conv2d(downsample(x), weight, bias)
        else:
            y = F.conv2d(smooth(x, pad=2), weight, bias, stride=2)
        return bounded(F.leaky_relu_(y, SLOPE) if self.activate else y)


def bounded(x: Tensor) -> Tensor:
    """x in float32; in a smaller type clamped to ±256, which keeps float16 finite."""
    return x if x.dtype in (torch.float32, torch.float64) else x.clamp(-CLAMP, CLAMP)


def normalised(x: Tensor) -> Tensor:
    """(B, N) with a mean square of one in each row."""
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
