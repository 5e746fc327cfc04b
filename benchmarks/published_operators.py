"""The published generator's operators where it compiles nothing, in place of phq's while `published` lasts.

Written from the descriptions: StyleGAN2 (Karras et al. 2020, section 2.2 and appendix B), EG3D (Chan et al. 2022) and
PanoHead (An et al. 2023). The weights are those of phq's networks, so that both sides compute the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from phq.generator.config import Render
from phq.generator.networks import layers, modulated, synthesis, volume
from phq.generator.networks.generator import Generator
from phq.generator.networks.rng import SampleRng

SQRT2 = math.sqrt(2)
Field = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Points (B, N, 3) to raw density (B, N, 1) and features (B, N, F)."""


def filtered(x: Tensor, pads: tuple[int, int], up: int = 1, down: int = 1, gain: float = 1.0) -> Tensor:
    """Zeros between the pixels, padding, the filter [1, 3, 3, 1] ⊗ [1, 3, 3, 1], every `down`-th pixel."""
    batch, channels, height, width = x.shape
    if up > 1:
        x = F.pad(x.reshape(batch, channels, height, 1, width, 1), (0, up - 1, 0, 0, 0, up - 1))
        x = x.reshape(batch, channels, height * up, width * up)
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    kernel = (torch.outer(taps, taps) * gain)[None, None].repeat(channels, 1, 1, 1)
    return F.conv2d(F.pad(x, (*pads, *pads)), kernel, groups=channels)[:, :, ::down, ::down]


def activated(x: Tensor, bias: Tensor | None, gain: float, activate: bool = True) -> Tensor:
    """Bias, leaky ReLU and gain, one after the other."""
    if bias is not None:
        x = x + bias.reshape(1, -1, 1, 1)
    x = F.leaky_relu(x, 0.2) if activate else x
    return x * gain if gain != 1 else x


def convolved(self: layers.Conv, x: Tensor) -> Tensor:
    """The discriminator's convolution."""
    weight, kernel = self.weight * (self.gain / self.output_gain), self.weight.shape[-1]
    if not self.down:
        y = F.conv2d(x, weight, padding=kernel // 2)
    elif kernel == 1:
        y = F.conv2d(filtered(x, (1, 1), down=2), weight)
    else:
        y = F.conv2d(filtered(x, (2, 2)), weight, stride=2)
    return activated(y, self.bias, self.output_gain, self.activate)


def styled(self: modulated.StyledConv, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
    """The synthesis layer in training: inputs and outputs scaled, norms from the weights of every sample."""
    style = self.affine(w)
    each = self.weight[None] * style[:, None, :, None, None]
    norm = (each.square().sum(dim=(2, 3, 4)) + 1e-8).rsqrt()[:, :, None, None]
    x = x * style[:, :, None, None]
    if self.up:
        y = filtered(F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2), (1, 1), gain=4)
    else:
        y = F.conv2d(x, self.weight, padding=1)
    added = None if noise is None or self.strength is None else noise * self.strength
    return activated(y * norm if added is None else torch.addcmul(added, y, norm), self.bias, SQRT2)


def coloured(self: modulated.ToColour, x: Tensor, w: Tensor) -> Tensor:
    """Features to an image."""
    style = self.affine(w) * self.gain
    y = F.conv2d(x * style[:, :, None, None], self.weight[:, :, None, None])
    return activated(y, self.bias, 1.0, activate=False)


def doubled(images: Tensor) -> Tensor:
    """The image before it, twice as large."""
    batch, channels, side, _ = images.shape
    return filtered(images, (2, 1), up=2, gain=4).reshape(batch, channels, 2 * side, 2 * side)


AXES = torch.eye(3)[:, [[0, 1, 2], [0, 2, 1], [1, 2, 0]]].transpose(0, 1)
"""(3, 3, 3), a matrix a grid: a point in a row times it is column, row and layer."""


def sampled(maps: Tensor, points: Tensor, depth: int, box: float) -> Tensor:
    """(B, 3, N, C) of points (B, N, 3): trilinear interpolation in three grids of `depth` layers."""
    batch, count, _ = points.shape
    grids = maps.reshape(batch * 3, -1, depth, *maps.shape[-2:])
    places = (2 / box) * points[:, None].expand(-1, 3, -1, -1).reshape(batch * 3, count, 3)
    places = torch.bmm(places, AXES.repeat(batch, 1, 1))
    found = F.grid_sample(grids, places[:, None, None], align_corners=False)
    return found.permute(0, 4, 3, 2, 1).reshape(batch, 3, count, -1)


def field_of(self: Generator, maps: Tensor, _pose: Tensor | None, rng: SampleRng, noise: float) -> Field:
    """Density and features of points, each point's numbers beside one another; canonical space."""
    render, planes = self.config.render, self.config.planes

    def field(points: Tensor) -> tuple[Tensor, Tensor]:
        x = sampled(maps, points, planes.depth, render.box).mean(1)
        batch, count, channels = x.shape
        y = self.decoder.out(F.softplus(self.decoder.hidden(x.reshape(batch * count, channels))))
        y = y.reshape(batch, count, -1)
        raw, colours = y[..., :1], y[..., 1:]
        drawn = rng.normal(count) if noise else None
        raw = raw if drawn is None else raw + drawn[..., None] * noise
        outside = (points[..., [0, 2]].abs() > render.box / 2 - render.margin).any(dim=-1, keepdim=True)
        return torch.where(outside, torch.full_like(raw, -1e3), raw), colours

    return field


def march(colours: Tensor, raw: Tensor, depths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Summed colours (B, P, F), depth (B, P, 1) and weights (B, P, S − 1, 1) of samples (B, P, S, …)."""
    deltas = depths[:, :, 1:] - depths[:, :, :-1]
    colours_mid = (colours[:, :, :-1] + colours[:, :, 1:]) / 2
    raw_mid = (raw[:, :, :-1] + raw[:, :, 1:]) / 2
    depths_mid = (depths[:, :, :-1] + depths[:, :, 1:]) / 2
    alpha = 1 - torch.exp(-F.softplus(raw_mid - 1) * deltas)
    shifted = torch.cat([torch.ones_like(alpha[:, :, :1]), 1 - alpha + 1e-10], dim=-2)
    weights = alpha * torch.cumprod(shifted, dim=-2)[:, :, :-1]
    total = weights.sum(2)
    depth = torch.nan_to_num((weights * depths_mid).sum(2) / total, float("inf"))
    return (weights * colours_mid).sum(-2), depth.clamp(depths.min(), depths.max()), weights


def rendered(field: Field, origins: Tensor, directions: Tensor, settings: Render, rng: SampleRng) -> volume.Volume:
    """Two passes; all samples of both are put in order, their features too."""
    origins, directions = (part.transpose(1, 2)[:, :, None] for part in (origins, directions))
    places, count = volume.PLACES["eg3d"], directions.shape[1]

    def look(depths: Tensor) -> tuple[Tensor, Tensor]:
        raw, colours = field((origins + depths * directions).flatten(1, 2))
        return raw.reshape(depths.shape), colours.reshape(*depths.shape[:3], -1)

    coarse = places.coarse(settings, _drawn(rng, count, settings.coarse))[..., None]
    raw, colours = look(coarse)
    _, _, weights = march(colours, raw, coarse)
    drawn = _drawn(rng, count, settings.fine)
    fine = places.fine(coarse[..., 0], weights[..., 0].detach(), drawn)[..., None]
    more, more_colours = look(fine)
    depths, order = torch.cat([coarse, fine], dim=-2).sort(dim=-2)
    raw = torch.cat([raw, more], dim=-2).gather(-2, order)
    colours = torch.cat([colours, more_colours], dim=-2)
    colours = colours.gather(-2, order.expand(-1, -1, -1, colours.shape[-1]))
    summed, depth, weights = march(colours, raw, depths)
    return volume.Volume(summed.transpose(1, 2), depth[..., 0], weights.sum(2)[..., 0])


def _drawn(rng: SampleRng, rays: int, count: int) -> Tensor:
    drawn = rng.uniform(rays, count)
    assert drawn is not None
    return drawn


SWAPS: tuple[tuple[Any, str, Any], ...] = (
    (layers.Conv, "forward", convolved),
    (modulated.StyledConv, "forward", styled),
    (modulated.ToColour, "forward", coloured),
    (synthesis, "upsample", doubled),
    (Generator, "_field", field_of),
    (volume, "render", rendered),
)
"""What is replaced, and by what."""


@contextmanager
def published() -> Iterator[None]:
    """phq's networks with the published operators: tri-grids, no deformation, float32 alone."""
    own = [(where, name, getattr(where, name)) for where, name, _ in SWAPS]
    for where, name, other in SWAPS:
        setattr(where, name, other)
    try:
        yield
    finally:
        for where, name, work in own:
            setattr(where, name, work)
