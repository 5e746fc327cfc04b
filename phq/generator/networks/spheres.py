"""SphereHead's dual spherical tri-planes (Li et al. 2024): planes over angles and radius, about two axes.

Each sphere has seams, at its poles and where its longitude begins. A point's features are taken of both, weighted so
that each counts nothing at its own seams.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

PLANES = 3
"""Of a sphere: polar angle and longitude, polar angle and radius, longitude and radius."""


class Spheres:
    """Two spheres of three planes of `features` channels each; the box is the cube about them."""

    def __init__(self, side: int, features: int, box: float) -> None:
        self.side = side
        self.channels = 2 * PLANES * features
        self.box = box

    def sample(self, maps: Tensor, points: Tensor) -> Tensor:
        """See `phq.generator.networks.representation.Representation.sample`."""
        x, y, z = (points * (2 / self.box)).unbind(dim=1)
        halves = maps.reshape(len(maps), 2, -1, *maps.shape[2:])
        first, weight = _sampled(halves[:, 0], spherical(z, y, -x))
        second, other = _sampled(halves[:, 1], spherical(-z, -x, y))
        total = weight + other + 1e-8
        return first * (weight / total)[:, None] + second * (other / total)[:, None]


def spherical(x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Polar angle from z, longitude from x towards y, and radius, each (B, N) in [−1, 1] within the cube [−1, 1]³."""
    square = x.square() + y.square()
    polar = torch.atan2((square + 1e-20).sqrt(), z)
    longitude = torch.atan2(y, x)
    radius = (square + z.square() + 1e-20).sqrt()
    return polar * (2 / math.pi) - 1, longitude / math.pi, radius * (2 / math.sqrt(3)) - 1


def _sampled(planes: Tensor, place: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Mean features (B, C, N) of three planes (B, 3 C, S, S) at a place, and what they count (B, N)."""
    polar, longitude, radius = place
    pairs = ((polar, longitude), (polar, radius), (longitude, radius))
    at = torch.stack([torch.stack(pair, dim=-1) for pair in pairs], dim=1)
    flat = planes.reshape(len(planes) * PLANES, -1, *planes.shape[2:])
    found = F.grid_sample(flat, at.flatten(0, 1)[:, None], align_corners=False)
    weight = (1 + torch.cos(math.pi * polar)) * (1 + torch.cos(math.pi * longitude)) / 4
    return found.reshape(len(planes), PLANES, -1, polar.shape[-1]).mean(dim=1), weight
