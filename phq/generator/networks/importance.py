"""Where on a ray to look: first in every stratum, then where the first look saw much (NeRF, Mildenhall et al. 2020)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

FLOOR = 0.01
"""Added to every weight, so that no part of a ray is never looked at."""


def stratified(near: float, far: float, count: int, chance: Tensor) -> Tensor:
    """Depths (…, count), one in each of `count` equal strata; chance (…, count) in [0, 1) is the place in it."""
    strata = torch.arange(count, dtype=chance.dtype, device=chance.device)
    return near + (far - near) * ((strata + chance) / count)


@torch.no_grad()
def importance_samples(depths: Tensor, weights: Tensor, chance: Tensor) -> Tensor:
    """Depths (…, N) drawn by inverse transform from the weights of the intervals between coarse samples.

    Args:
        depths: (…, S) increasing.
        weights: (…, S − 1) of the intervals. They are widened (the mean of the maxima with either neighbour, as in
            mip-NeRF) and `FLOOR` is added.
        chance: (…, N) in [0, 1).

    EG3D draws from the intervals between midpoints with the weights of those between samples, half an interval off.
    """
    flat = weights.reshape(-1, 1, weights.shape[-1])
    widened = F.avg_pool1d(F.max_pool1d(flat, 2, stride=1, padding=1), 2, stride=1) + FLOOR
    return inverse_transform(depths, widened.reshape(weights.shape), chance)


def inverse_transform(edges: Tensor, weights: Tensor, chance: Tensor) -> Tensor:
    """Values (…, N) of the piecewise uniform distribution with edges (…, E) and positive weights (…, E − 1)."""
    cdf = F.pad(weights.cumsum(dim=-1), (1, 0))
    wanted = (chance * cdf[..., -1:]).contiguous()
    last = weights.shape[-1] - 1
    bin_ = (torch.searchsorted(cdf.contiguous(), wanted, right=True) - 1).clamp(0, last)
    start, left, right = cdf.gather(-1, bin_), edges.gather(-1, bin_), edges.gather(-1, bin_ + 1)
    return left + (right - left) * ((wanted - start) / weights.gather(-1, bin_)).clamp(0, 1)
