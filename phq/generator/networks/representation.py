"""How 3D space is kept in 2D feature maps: one small interface, and the tri-grid.

Sources: tri-planes EG3D (Chan et al. 2022); plane axes as corrected in its issue 67; depth layers PanoHead (An et al.
2023). Others are in `phq.generator.networks.hybrid` and `phq.generator.networks.spheres`.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

NAMES = ("xy", "xz", "yz")
"""Column and row of each plane."""


def coordinates(name: str) -> tuple[int, int, int]:
    """Which coordinates are column, row and layer of the plane called by the first two, as ``xz``."""
    column, row = ("xyz".index(letter) for letter in name)
    return column, row, 3 - column - row


AXES = tuple(coordinates(name) for name in NAMES)


class Representation(Protocol):
    """What the renderer needs to know of a representation. It has no weights: the backbone draws the maps."""

    side: int
    """Side of the image that the backbone draws."""
    channels: int
    """Its channels."""

    def sample(self, maps: Tensor, points: Tensor) -> Tensor:
        """Features (B, C, N) at points (B, 3, N), metres, from maps (B, channels, side, side).

        Continuous in the points; zero outside the box.
        """
        ...


class TriGrid:
    """Three grids of `depth` layers; a point's features are the mean of their trilinear interpolations."""

    def __init__(self, side: int, features: int, depth: int, box: float, names: tuple[str, str, str] = NAMES) -> None:
        self.side = side
        self.channels = len(names) * features * depth
        self.depth = depth
        self.box = box
        self.axes = [coordinates(name) for name in names]

    def sample(self, maps: Tensor, points: Tensor) -> Tensor:
        """See `Representation.sample`."""
        batch, count = len(points), points.shape[-1]
        grids = maps.reshape(batch * len(self.axes), -1, self.depth, self.side, self.side)
        where = (points * (2 / self.box)).unbind(dim=1)
        at = torch.stack([torch.stack([where[i] for i in axes], dim=-1) for axes in self.axes], dim=1)
        at = at.reshape(batch * len(self.axes), 1, 1, count, 3)
        found = F.grid_sample(grids, at, align_corners=False)
        return found.reshape(batch, len(self.axes), -1, count).mean(dim=1)


class TriPlane:
    """EG3D's three planes; a point's features are the mean of their bilinear interpolations.

    A `TriGrid` of one layer is something else: it fades to zero away from the middle of its layer.
    """

    def __init__(self, side: int, features: int, box: float, names: tuple[str, str, str] = NAMES) -> None:
        self.side = side
        self.channels = len(names) * features
        self.box = box
        self.axes = [coordinates(name)[:2] for name in names]

    def sample(self, maps: Tensor, points: Tensor) -> Tensor:
        """See `Representation.sample`; outside the box, features of the planes that the point is on still count."""
        batch, count = len(points), points.shape[-1]
        where = (points * (2 / self.box)).unbind(dim=1)
        at = torch.stack([torch.stack([where[i] for i in axes], dim=-1) for axes in self.axes], dim=1)
        planes = maps.reshape(batch * len(self.axes), -1, self.side, self.side)
        found = F.grid_sample(planes, at.reshape(batch * len(self.axes), 1, count, 2), align_corners=False)
        return found.reshape(batch, len(self.axes), -1, count).mean(dim=1)
