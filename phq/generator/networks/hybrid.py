"""Hybrid planes after HyPlaneHead (Li et al. 2025): three planes and a map of the sphere, all in one image.

A plane cannot tell front from back, so faces appear on both sides; the map can, since it is by direction. The four are
quarters of one image of twice the side ("unify-split"): planes that are channels of one pixel leak into one another.
The map is Lambert's azimuthal equal-area projection, whose disc is stretched to the square by the elliptical grid
mapping, so that nearly every texel stands for the same solid angle.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from phq.generator.networks.representation import AXES

CENTRE = (0.0, 0.13, 0.03)
"""Middle of the sphere, metres: within the head, so that the direction without a place on the map, straight down, runs
inside the neck."""


class HybridPlanes:
    """Three planes and a map, quarters of one image; a point's features are the mean of the four."""

    def __init__(self, side: int, features: int, box: float) -> None:
        self.side = 2 * side
        self.channels = features
        self.box = box

    def sample(self, maps: Tensor, points: Tensor) -> Tensor:
        """See `phq.generator.networks.representation.Representation.sample`."""
        batch, half = len(points), self.side // 2
        quarters = maps.reshape(batch, -1, 2, half, 2, half).permute(0, 2, 4, 1, 3, 5)
        scaled = points * (2 / self.box)
        inside = (scaled.abs() <= 1).all(dim=1)
        where = scaled.unbind(dim=1)
        places = [(where[column], where[row]) for column, row, _ in AXES]
        places.append(
            direction_to_square(torch.stack([x - at for x, at in zip(points.unbind(1), CENTRE, strict=True)], 1))
        )
        at = torch.stack([torch.stack(place, dim=-1) for place in places], dim=1).reshape(batch * 4, 1, -1, 2)
        found = F.grid_sample(quarters.reshape(batch * 4, -1, half, half), at, align_corners=False)
        mean = found.reshape(batch, 4, self.channels, -1).mean(dim=1)
        return mean * inside[:, None]


def direction_to_square(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Column and row, each (B, N) in [−1, 1], of vectors (B, 3, N): up is the middle, straight down the border."""
    x, y, z = vectors.unbind(dim=1)
    length = (vectors.square().sum(dim=1) + 1e-12).sqrt()
    # Lambert: radius √2 √(1 − y) of the unit sphere, brought to 1; the angle about the axis stays
    scale = ((1 + y / length).clamp(min=0) / 2 + 1e-6).rsqrt() / (2 * length)
    return disc_to_square(x * scale, z * scale)


def disc_to_square(u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Elliptical grid mapping of the unit disc onto [−1, 1]² (Fong 2015, Analytical methods for squaring the disc)."""
    difference, root = u.square() - v.square(), math.sqrt(2)

    def half(value: Tensor) -> Tensor:
        return (value.clamp(min=0) + 1e-6).sqrt() / 2

    x = half(2 + difference + 2 * root * u) - half(2 + difference - 2 * root * u)
    y = half(2 - difference + 2 * root * v) - half(2 - difference - 2 * root * v)
    return x, y
