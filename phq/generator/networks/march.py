"""Volume rendering along rays by the midpoint rule (EG3D's marcher, after mip-NeRF, Barron et al. 2021).

Between neighbouring samples i and i + 1 of a ray at depths t: δ = t_{i+1} − t_i, raw density σ = (σ_i + σ_{i+1}) / 2,
opacity α = 1 − exp(−δ · softplus(σ − 1)), weight w_i = α_i Π_{j<i} (1 − α_j), colour (c_i + c_{i+1}) / 2.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

EMPTY = -1e3
"""Raw density of nothing."""


def density(raw: Tensor) -> Tensor:
    """Density, 1 / metre, of raw density σ: softplus(σ − 1); the shift makes an untrained volume thin."""
    return F.softplus(raw - 1)


def interval_weights(raw: Tensor, depths: Tensor) -> Tensor:
    """w (…, S − 1) of the intervals, from raw densities and increasing depths (…, S)."""
    thickness = density((raw[..., :-1] + raw[..., 1:]) / 2) * depths.diff(dim=-1)
    before = F.pad(thickness.cumsum(dim=-1)[..., :-1], (1, 0))
    return torch.exp(-before) * -torch.expm1(-thickness)


def sample_weights(weights: Tensor) -> Tensor:
    """(…, S) from those of the intervals (…, S − 1): a colour counts half in each interval that it borders.

    Σ_i w_i (c_i + c_{i+1}) / 2 = Σ_i c_i (w_{i−1} + w_i) / 2.
    """
    padded = F.pad(weights, (1, 1))
    return (padded[..., :-1] + padded[..., 1:]) / 2


def mean_depth(weights: Tensor, depths: Tensor) -> Tensor:
    """(…) weighted mean depth of the intervals' middles; the far end of a ray that meets nothing."""
    middles = (depths[..., :-1] + depths[..., 1:]) / 2
    total = weights.sum(dim=-1)
    found = (weights * middles).sum(dim=-1) / total.clamp(min=1e-8)
    return torch.where(total > 1e-8, found.clamp(depths[..., 0], depths[..., -1]), depths[..., -1])
