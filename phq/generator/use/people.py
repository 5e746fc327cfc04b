"""A person: what a generator draws from a latent, ready to be seen from anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from phq.generator.networks.generator import Generator, Rendering, Sampled
from phq.generator.use.arguments import OWN, REST
from phq.generator.use.cameras import radius_of
from phq.generator.use.opening import Trained, at_distance
from phq.system.arrays import Floats

MEAN_OF = 1000
"""Latents that the average style is taken over."""
_MEAN_SEED = 0


class Average(NamedTuple):
    """Of the styles of `MEAN_OF` latents, the same ones every time."""

    style: Tensor
    """(1, style)"""
    spread: float
    """Root mean square of their distances from it."""


@dataclass(frozen=True)
class Person:
    """What a generator draws of one latent; the feature planes are drawn once."""

    g: Generator
    ws: Tensor
    """(1, num_ws, style)"""
    own: Tensor
    """(1, 6) pose that the generator predicts, or that was found for a photo."""
    raw: int
    """Side of the raw image."""

    @cached_property
    def planes(self) -> Tensor:
        """Feature maps."""
        with torch.no_grad():
            return self.g.draw_planes(self.ws)

    def posed(self, pose: Floats | str) -> Tensor | None:
        """(1, 6) of what `phq.generator.use.arguments.parse_pose` gives; None at rest, which is canonical space."""
        if isinstance(pose, str):
            return {OWN: self.own, REST: None}[pose]
        return self.own.new_tensor(pose)[None]

    @torch.no_grad()
    def seen(self, camera: Tensor, pose: Tensor | None) -> Rendering:
        """Rendered for a camera (1, 25) at any distance, with a pose (1, 6); without noise."""
        g = at_distance(self.g, radius_of(camera))
        return g.synthesis(self.ws, camera.to(self.ws.device), pose, resolution=self.raw, planes=self.planes)

    def sampler(self, pose: Tensor | None) -> Callable[[Tensor], Sampled]:
        """The volume at points (N, 3), metres, of posed space: density (N,) and colour (N, 3)."""

        @torch.no_grad()
        def sample(points: Tensor) -> Sampled:
            found = self.g.sample(points[None].to(self.ws.device), self.ws, pose, self.planes)
            return Sampled(found.density[0].cpu(), found.colour[0].cpu())

        return sample


def latent(trained: Trained, seed: int) -> Tensor:
    """z (1, latent) of a seed; the same on every device."""
    drawn = torch.randn(1, trained.g.config.latent, generator=torch.Generator().manual_seed(seed))
    return drawn.to(trained.device)


@torch.no_grad()
def average(trained: Trained, condition: Tensor) -> Average:
    """The average style for the conditioning camera `condition` (1, 25)."""
    rng = torch.Generator().manual_seed(_MEAN_SEED)
    z = torch.randn(MEAN_OF, trained.g.config.latent, generator=rng).to(trained.device)
    camera = condition.to(trained.device).expand(MEAN_OF, -1)
    styles = trained.g.mapping(z, camera, trained.g.predict_pose(z, camera))[:, 0]
    mean = styles.mean(dim=0, keepdim=True)
    return Average(mean, float((styles - mean).square().sum(dim=1).mean().sqrt()))


@torch.no_grad()
def people(trained: Trained, seeds: Sequence[int], condition: Tensor, truncation: float = 1.0) -> list[Person]:
    """The people of seeds.

    Args:
        condition: (1, 25) the conditioning camera of all.
        truncation: ψ; 1 leaves styles as they are, 0 gives everybody the `average`.
    """
    condition = condition.to(trained.device)
    mean = average(trained, condition).style if truncation != 1 else None
    found = []
    for seed in seeds:
        z = latent(trained, seed)
        own = trained.g.predict_pose(z, condition)
        ws = trained.g.mapping(z, condition, own)
        ws = ws if mean is None else torch.lerp(mean[:, None].expand_as(ws), ws, truncation)
        found.append(Person(trained.g, ws, own, trained.raw))
    return found


PeopleAt = Callable[[Tensor], list[Person]]
"""The people that a camera (1, 25) sees; `Cast.people` is one."""


@dataclass(frozen=True)
class Cast:
    """The people of some seeds, for whichever camera renders."""

    trained: Trained
    seeds: tuple[int, ...]
    truncation: float = 1.0
    conditioning: tuple[float, float] | None = (0.0, 0.0)
    """Yaw and pitch of the camera of the mapping network; None for the one that renders."""

    def condition(self, camera: Tensor) -> Tensor:
        """(1, 25) the conditioning camera where `camera` (1, 25) renders."""
        return camera if self.conditioning is None else self.trained.camera_at(*self.conditioning)

    @cached_property
    def _fixed(self) -> list[Person]:
        condition = self.trained.camera_at(*(self.conditioning or (0.0, 0.0)))
        return people(self.trained, self.seeds, condition, self.truncation)

    def people(self, camera: Tensor) -> list[Person]:
        """Those whom `camera` (1, 25) sees: the same from all sides, unless they are conditioned on that very side."""
        if self.conditioning is not None:
            return self._fixed
        return people(self.trained, self.seeds, camera, self.truncation)
