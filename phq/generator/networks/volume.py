"""Two-pass volume rendering of a field along rays."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from phq.generator.config import Render
from phq.generator.networks.chance import Chance
from phq.generator.networks.importance import importance_samples, stratified
from phq.generator.networks.march import interval_weights, mean_depth, sample_weights

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


def render(field: Field, origins: Tensor, directions: Tensor, settings: Render, chance: Chance) -> Volume:
    """March rays with origins (B, 3, 1) and unit directions (B, 3, P) through the field.

    The coarse samples are stratified; the fine ones, drawn from the coarse ones' weights, are merged with them.
    Nothing but densities is put in order: the weights are brought back to the features instead.
    """
    jitter = _uniform(chance, directions, settings.coarse)
    coarse = stratified(settings.near, settings.far, settings.coarse, jitter)
    raw, features = _look(field, origins, directions, coarse)
    if not settings.fine:
        weights = interval_weights(raw, coarse)
        summed = (features * sample_weights(weights)[:, None]).sum(dim=-1)
        return Volume(summed, mean_depth(weights, coarse), weights.sum(dim=-1))
    with torch.no_grad():
        seen = interval_weights(raw, coarse)
    fine = importance_samples(coarse, seen, _quantiles(chance, directions, settings.fine))
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


def _uniform(chance: Chance, directions: Tensor, count: int) -> Tensor:
    """(B, P, count) in [0, 1); the middles if there is no chance."""
    batch, _, rays = directions.shape
    drawn = chance.uniform(rays, count)
    return directions.new_full((batch, rays, count), 0.5) if drawn is None else drawn.to(directions.dtype)


def _quantiles(chance: Chance, directions: Tensor, count: int) -> Tensor:
    """(B, P, count) in [0, 1): at random, or evenly spaced if there is no chance."""
    batch, _, rays = directions.shape
    drawn = chance.uniform(rays, count)
    if drawn is not None:
        return drawn.to(directions.dtype)
    even = (torch.arange(count, dtype=directions.dtype, device=directions.device) + 0.5) / count
    return even.expand(batch, rays, count)
