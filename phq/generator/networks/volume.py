"""Two-pass volume rendering of a field along rays."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from phq.generator.config import Render
from phq.generator.networks.march import interval_weights, mean_depth, sample_weights
from phq.generator.networks.rng import SampleRng

Field = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Points (B, 3, N) to raw density (B, N) and features (B, F, N)."""


class Volume(NamedTuple):
    """What P rays saw."""

    features: Tensor
    """(B, F, P) weighted sum along each ray."""
    depth: Tensor
    """(B, P) metres from the camera along the ray."""
    opacity: Tensor
    """(B, P) sum of the weights, 0 to 1."""


def render(field: Field, origins: Tensor, directions: Tensor, settings: Render, rng: SampleRng) -> Volume:
    """March rays with origins (B, 3, 1) and unit directions (B, 3, P) through the field.

    The coarse samples are stratified; the fine ones, drawn from the coarse ones' weights, are merged with them.
    Nothing but densities is put in order: the weights are brought back to the features instead.
    """
    places = PLACES[settings.places]
    coarse = places.coarse(settings, _uniform(rng, directions, settings.coarse))
    raw, features = _look(field, origins, directions, coarse)
    if not settings.fine:
        weights = interval_weights(raw, coarse)
        summed = (features * sample_weights(weights)[:, None]).sum(dim=-1)
        return Volume(summed, mean_depth(weights, coarse), weights.sum(dim=-1))
    with torch.no_grad():
        seen = interval_weights(raw, coarse)
    fine = places.fine(coarse, seen, _quantiles(rng, directions, settings.fine))
    fine_raw, fine_features = _look(field, origins, directions, fine)
    depths, order = torch.cat([coarse, fine], dim=-1).sort(dim=-1)
    weights = interval_weights(torch.cat([raw, fine_raw], dim=-1).gather(-1, order), depths)
    each = torch.zeros_like(depths).scatter(-1, order, sample_weights(weights))
    first, second = each[:, None, :, : settings.coarse], each[:, None, :, settings.coarse :]
    summed = (features * first).sum(dim=-1) + (fine_features * second).sum(dim=-1)
    return Volume(summed, mean_depth(weights, depths), weights.sum(dim=-1))


def _look(field: Field, origins: Tensor, directions: Tensor, depths: Tensor) -> tuple[Tensor, Tensor]:
    """Raw density (B, P, S) and features (B, F, P, S) at depths (B, P, S)."""
    points = origins[..., None] + directions[..., None] * depths[:, None]
    raw, features = field(points.flatten(2))
    return raw.reshape(depths.shape), features.reshape(len(depths), -1, *depths.shape[1:])


def _uniform(rng: SampleRng, directions: Tensor, count: int) -> Tensor:
    """(B, P, count) in [0, 1); the middles without seeds."""
    batch, _, rays = directions.shape
    drawn = rng.uniform(rays, count)
    return directions.new_full((batch, rays, count), 0.5) if drawn is None else drawn.to(directions.dtype)


def _quantiles(rng: SampleRng, directions: Tensor, count: int) -> Tensor:
    """(B, P, count) in [0, 1): at random, or evenly spaced without seeds."""
    batch, _, rays = directions.shape
    drawn = rng.uniform(rays, count)
    if drawn is not None:
        return drawn.to(directions.dtype)
    even = (torch.arange(count, dtype=directions.dtype, device=directions.device) + 0.5) / count
    return even.expand(batch, rays, count)


FLOOR = 0.01
"""Added to every weight, so that no part of a ray is never looked at."""


def stratified(near: float, far: float, count: int, uniform: Tensor) -> Tensor:
    """Depths (…, count), one in each of `count` equal strata; uniform (…, count) in [0, 1) is the position in it."""
    strata = torch.arange(count, dtype=uniform.dtype, device=uniform.device)
    return near + (far - near) * ((strata + uniform) / count)


@torch.no_grad()
def importance_samples(depths: Tensor, weights: Tensor, uniform: Tensor) -> Tensor:
    """Depths (…, N) drawn by inverse transform from the weights of the intervals between coarse samples.

    Args:
        depths: (…, S) increasing.
        weights: (…, S − 1) of the intervals. They are widened (the mean of the maxima with either neighbour, as in
            mip-NeRF) and `FLOOR` is added.
        uniform: (…, N) in [0, 1).

    EG3D draws from the intervals between midpoints with the weights of those between samples, half an interval off.
    """
    return inverse_transform(depths, _widened(weights), uniform)


@torch.no_grad()
def published_importance_samples(depths: Tensor, weights: Tensor, uniform: Tensor) -> Tensor:
    """The same as the published code (EG3D, PanoHead, SphereHead, 3DPortraitGAN) has it; arguments as above.

    The intervals between midpoints of samples, with the weights of those between samples, half an interval off; the
    last interval is never drawn from.
    """
    middles = (depths[..., :-1] + depths[..., 1:]) / 2
    return inverse_transform(middles[..., :-1], _widened(weights)[..., 1:-1] + 1e-5, uniform)


def _widened(weights: Tensor) -> Tensor:
    flat = weights.reshape(-1, 1, weights.shape[-1])
    widened = F.avg_pool1d(F.max_pool1d(flat, 2, stride=1, padding=1), 2, stride=1) + FLOOR
    return widened.reshape(weights.shape)


def inverse_transform(edges: Tensor, weights: Tensor, uniform: Tensor) -> Tensor:
    """Values (…, N) of the piecewise uniform distribution with edges (…, E) and positive weights (…, E − 1)."""
    cdf = F.pad(weights.cumsum(dim=-1), (1, 0))
    wanted = (uniform * cdf[..., -1:]).contiguous()
    last = weights.shape[-1] - 1
    bin_ = (torch.searchsorted(cdf.contiguous(), wanted, right=True) - 1).clamp(0, last)
    start, left, right = cdf.gather(-1, bin_), edges.gather(-1, bin_), edges.gather(-1, bin_ + 1)
    return left + (right - left) * ((wanted - start) / weights.gather(-1, bin_)).clamp(0, 1)


class Places(NamedTuple):
    """Where rays are sampled."""

    coarse: Callable[[Render, Tensor], Tensor]
    """Settings and uniform (…, S) to increasing depths (…, S)."""
    fine: Callable[[Tensor, Tensor, Tensor], Tensor]
    """Coarse depths (…, S), weights of their intervals (…, S − 1), uniform (…, N) to depths (…, N)."""


def _published_strata(settings: Render, uniform: Tensor) -> Tensor:
    """Strata that begin at the samples of a ruler from near to far: the last one lies beyond the far plane."""
    step = (settings.far - settings.near) / (settings.coarse - 1)
    ruler = torch.linspace(settings.near, settings.far, settings.coarse, dtype=uniform.dtype, device=uniform.device)
    return ruler + uniform * step


PLACES = {
    "phq": Places(lambda own, uniform: stratified(own.near, own.far, own.coarse, uniform), importance_samples),
    "eg3d": Places(_published_strata, published_importance_samples),
}
"""By `Render.places`."""
