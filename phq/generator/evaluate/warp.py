"""One view warped into another by its depth: what both see of a surface should have one colour."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from phq.generator.networks.rays import camera_rays

SURE = 0.9
"""Least mask of a pixel that counts as the person: about the edge, depth is a mixture with what lies behind."""
NEAR = 0.02
"""Metres between a point and the surface that the other view sees there: more, and it is another surface."""


class View(NamedTuple):
    """What one camera sees of each of B people, on grids of one side R."""

    image: Tensor
    """(B, 3, R, R)"""
    depth: Tensor
    """(B, 1, R, R) metres along the ray."""
    mask: Tensor
    """(B, 1, R, R) 1 where the person is."""
    camera: Tensor
    """(B, 25)"""


class Warped(NamedTuple):
    """A view as the pixels of another one see it."""

    image: Tensor
    """(B, 3, R, R) colours from the other view."""
    both: Tensor
    """(B, R, R) whether a pixel shows a point of the person that the other view sees too."""


def lift(view: View) -> Tensor:
    """Points (B, 3, R²) of the surface that each pixel shows, row by row, metres."""
    origins, directions = camera_rays(view.camera, view.depth.shape[-1])
    return origins + directions * view.depth.flatten(2)


def project(points: Tensor, camera: Tensor) -> tuple[Tensor, Tensor]:
    """Where cameras (B, 25) see points (B, 3, N): places u, v (B, N, 2), 0 to 1 over the picture, and distances (B, N).

    The inverse of `phq.generator.networks.rays.camera_rays`: (u, v, 1) ~ K Rᵀ (x − o). Points behind the camera have
    no place (NaN).
    """
    cam2world, K = camera[:, :16].reshape(-1, 4, 4), camera[:, 16:].reshape(-1, 3, 3)
    away = points - cam2world[:, :3, 3:]
    local = cam2world[:, :3, :3].transpose(1, 2) @ away
    u, v, z = (K @ local).unbind(dim=1)
    z = torch.where(z > 0, z, torch.nan)
    return torch.stack([u / z, v / z], dim=-1), away.norm(dim=1)


def warp(view: View, other: View) -> Warped:
    """Colours of `other` at the points that the pixels of `view` show.

    A pixel counts if its point lies on the person in both views and not behind what `other` sees there.
    """
    side = view.image.shape[-1]
    places, distance = project(lift(view), other.camera)
    inside = ((places >= 0) & (places <= 1)).all(dim=-1)
    grid = torch.where(inside[..., None], places, 0.5) * 2 - 1
    found = torch.cat([other.image, other.depth, other.mask], dim=1)
    looked = F.grid_sample(found, grid[:, None], mode="bilinear", padding_mode="border", align_corners=False)[:, :, 0]
    colour, depth, mask = looked[:, :3], looked[:, 3], looked[:, 4]
    both = inside & (view.mask.flatten(1) > SURE) & (mask > SURE) & ((distance - depth).abs() < NEAR)
    return Warped(colour.reshape(-1, 3, side, side), both.reshape(-1, side, side))


def difference(view: View, other: View) -> tuple[Tensor, Tensor]:
    """How much two views of B people disagree: mean |colour difference| (B,) over what both see, and its share (B,).

    The share is of the pixels of the person in `view`. Where both see nothing in common the difference is NaN.
    """
    warped = warp(view, other)
    count = warped.both.sum(dim=(1, 2))
    apart = (view.image - warped.image).abs().mean(dim=1)
    total = (apart * warped.both).sum(dim=(1, 2))
    person = (view.mask[:, 0] > SURE).sum(dim=(1, 2))
    return total / count, count / person.clamp(min=1)
