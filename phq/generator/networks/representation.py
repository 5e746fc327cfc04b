"""How 3D space is kept in 2D feature maps: one small interface, and the tri-grid.

Sources: tri-planes EG3D (Chan et al. 2022); plane axes as corrected in its issue 67; depth layers PanoHead (An et al.
2023). The other representation is in `phq.generator.networks.hybrid`.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

AXES = ((0, 1, 2), (0, 2, 1), (1, 2, 0))
"""For each plane, which coordinates are its column, its row and its layer: XY, XZ and YZ."""


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

    def __init__(self, side: int, features: int, depth: int, box: float) -> None:
        self.side = side
        self.channels = len(AXES) * features * depth
        self.depth = depth
        self.box = box

    def sample(self, maps: Tensor, points: Tensor) -> Tensor:
        """See `Representation.sample`."""
        batch, count = len(points), points.shape[-1]
        grids = maps.reshape(batch * len(AXES), -1, self.depth, self.side, self.side)
        where = (points * (2 / self.box)).unbind(dim=1)
        at = torch.stack([torch.stack([where[i] for i in axes], dim=-1) for axes in AXES], dim=1)
        at = at.reshape(batch * len(AXES), 1, 1, count, 3)
        found = F.grid_sample(grids, at, align_corners=False)
        return found.reshape(batch, len(AXES), -1, count).mean(dim=1)
