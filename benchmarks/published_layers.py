"""StyleGAN2's layers as its public code computes them without compiled operators, beside phq's own: for gan_speed.py.

Sources: Karras et al. 2020, section 2.2 and appendix B. Both sides have the same weights, and
`CASES` checks that they agree.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from phq.generator.networks.discriminator import ResidualBlock
from phq.generator.networks.modulated import StyledConv

BATCH = 4
FILTER = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
SIZES = {"tiny": ((64, 32, 16), (96, 64, 8)), "paper-512": ((256, 128, 64), (128, 64, 128))}
"""Inputs, outputs and side of layers of a preset."""


def filtered(x: Tensor, pads: tuple[int, int], down: int = 1, gain: float = 1.0) -> Tensor:
    """Padding, two one-dimensional filters, every `down`-th pixel."""
    x = F.pad(x, (*pads, *pads))
    taps = (FILTER * math.sqrt(gain)).expand(x.shape[1], 1, -1)
    x = F.conv2d(x, taps[:, :, None], groups=x.shape[1])
    x = F.conv2d(x, taps[..., None], groups=x.shape[1])
    return x[:, :, ::down, ::down]


def activated(x: Tensor, bias: Tensor, gain: float = math.sqrt(2)) -> Tensor:
    """Bias, leaky ReLU and gain, one after the other."""
    return F.leaky_relu(x + bias[:, None, None], 0.2) * gain


def styled(layer: StyledConv, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
    """One grouped convolution with the weights of every sample."""
    style = layer.affine(w)
    batch, inputs, side, _ = x.shape
    weight = layer.weight[None] * style[:, None, :, None, None]
    weight = weight * (weight.square().sum(dim=(2, 3, 4)) + 1e-8).rsqrt()[:, :, None, None, None]
    x = x.reshape(1, batch * inputs, side, side)
    if layer.up:
        turned = weight.transpose(1, 2).reshape(batch * inputs, -1, 3, 3)
        y = F.conv_transpose2d(x, turned, stride=2, groups=batch)
        y = filtered(y, pads=(1, 1), gain=4)
    else:
        y = F.conv2d(x, weight.reshape(-1, inputs, 3, 3), padding=1, groups=batch)
    y = y.reshape(batch, -1, *y.shape[2:])
    assert layer.strength is not None
    return activated(y + noise * layer.strength, layer.bias)


def residual(block: ResidualBlock, x: Tensor) -> Tensor:
    """A block of the discriminator."""
    first, second, skip = block.first, block.second, block.skip
    around = F.conv2d(filtered(x, pads=(1, 1), down=2), scaled(skip)) * math.sqrt(0.5)
    x = activated(F.conv2d(x, scaled(first), padding=1), first.bias)
    x = F.conv2d(filtered(x, pads=(2, 2)), scaled(second), stride=2)
    return activated(x, second.bias, gain=1.0) + around


def scaled(layer: nn.Module) -> Tensor:
    """Weights by 1 / √inputs."""
    weight: Tensor = layer.weight  # type: ignore[assignment]
    return weight / math.sqrt(weight[0].numel())


def both_ways(work: Callable[[Tensor], Tensor], x: Tensor, net: nn.Module, twice: bool = False) -> list[Tensor]:
    """Forward, and backward to input and weights; `twice` as R1 does."""
    x = x.clone().requires_grad_()
    y = work(x)
    value = y.square().mean()
    if twice:
        (slope,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        value = slope.square().sum()
    return [y.detach(), *torch.autograd.grad(value, list(net.parameters()), allow_unused=True)]


Case = tuple[str, Callable[[], object], Callable[[], object]]


def CASES() -> Iterator[Case]:  # noqa: N802
    """Name, phq's work and the published one."""
    torch.manual_seed(0)
    for preset, (generator, discriminator) in SIZES.items():
        inputs, outputs, side = generator
        for up in (False, True):
            w = torch.randn(BATCH, 128)
            layer = StyledConv(inputs, outputs, 128, up=up)
            x, noise = torch.randn(BATCH, inputs, side, side), torch.randn(BATCH, 1, side * (1 + up), side * (1 + up))
            own = both_ways_of(layer, partial(layer, w=w, noise=noise), x)
            other = both_ways_of(layer, partial(styled, layer, w=w, noise=noise), x)
            yield checked(
                f"{preset}: styled convolution{', twice the side' if up else ''} {tuple(x.shape[1:])}", own, other
            )
        inputs, outputs, side = discriminator
        block, x = ResidualBlock(inputs, outputs, torch.float32), torch.randn(BATCH, inputs, side, side)
        for twice in (False, True):
            own = both_ways_of(block, block, x, twice)
            other = both_ways_of(block, partial(residual, block), x, twice)
            yield checked(f"{preset}: block of D{', as in R1' if twice else ''} {tuple(x.shape[1:])}", own, other)


def both_ways_of(
    net: nn.Module, work: Callable[[Tensor], Tensor], x: Tensor, twice: bool = False
) -> Callable[[], list[Tensor]]:
    """`both_ways`, to be called."""
    return lambda: both_ways(work, x, net, twice)


def checked(name: str, own: Callable[[], list[Tensor]], other: Callable[[], list[Tensor]]) -> Case:
    """The case, if both sides give the same.

    Raises:
        AssertionError: they do not.
    """
    torch.testing.assert_close(own()[0], other()[0], atol=1e-3, rtol=1e-3)
    return name, own, other
