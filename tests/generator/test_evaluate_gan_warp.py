"""Warping one view into another is exact on scenes whose every point is known."""

from __future__ import annotations

import pytest
import torch
from small_generators import cameras
from torch import Tensor

from phq.generator.evaluate.warp import View, difference, lift, project, warp
from phq.generator.networks.rays import camera_rays

FAR = 3.3
MIDDLE = (0.0, 0.0649, 0.0)


def spheres(camera: Tensor, side: int, balls: list[tuple[tuple[float, float, float], float]]) -> View:
    """Views (B) of spheres (centre, radius), coloured by a smooth function of the place in space."""
    origins, directions = camera_rays(camera, side)
    depth = torch.full_like(directions[:, 0], FAR)
    for centre, radius in balls:
        away = origins - camera.new_tensor(centre)[:, None]
        half = (away * directions).sum(dim=1)
        root = half**2 - (away**2).sum(dim=1) + radius**2
        hit = torch.where(root > 0, -half - root.clamp(min=0).sqrt(), FAR)
        depth = torch.minimum(depth, hit)
    points = origins + directions * depth[:, None]
    mask = (depth < FAR).float()
    colour = torch.where(mask[:, None] > 0, 0.5 + 0.5 * torch.sin(25 * points), 0.0)
    shape = (len(camera), -1, side, side)
    return View(colour.reshape(shape), depth.reshape(shape), mask.reshape(shape), camera)


BALL = [(MIDDLE, 0.12)]


@pytest.mark.parametrize("yaw", [0.0, 100.0, 180.0])
def test_lifting_and_projecting_are_inverse_to_each_other(yaw):
    view = spheres(cameras([yaw, yaw + 30], dtype=torch.float64), 16, BALL)
    places, distance = project(lift(view), view.camera)
    centres = (torch.arange(16, dtype=torch.float64) + 0.5) / 16
    v, u = torch.meshgrid(centres, centres, indexing="ij")
    torch.testing.assert_close(places, torch.stack([u, v], dim=-1).reshape(1, -1, 2).expand(2, -1, -1))
    torch.testing.assert_close(distance, view.depth.flatten(1))


@pytest.mark.parametrize("yaw", [0.0, 90.0, -150.0])
def test_two_views_of_one_painted_sphere_agree_ever_better(yaw):
    errors = []
    for side in (32, 64, 128):
        first, other = (spheres(cameras([y]), side, BALL) for y in (yaw, yaw + 30))
        error, share = difference(first, other)
        assert share.item() > 0.6
        errors.append(error.item())
    assert errors[-1] < 0.002
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


def test_colours_that_stay_on_the_screen_are_seen():
    first, other = (spheres(cameras([y]), 64, BALL) for y in (0.0, 30.0))
    true, _ = difference(first, other)
    stuck, _ = difference(first, other._replace(image=first.image))
    assert stuck.item() > 20 * true.item()


def test_a_surface_elsewhere_is_not_compared():
    first, other = (spheres(cameras([y]), 64, BALL) for y in (0.0, 30.0))
    nothing, share = difference(first, other._replace(depth=other.depth - 0.1))
    assert share.item() == 0
    assert nothing.isnan().item()


def test_what_the_other_view_does_not_see_is_left_out():
    balls = [*BALL, ((0.09, 0.0649, 0.14), 0.05)]
    first, other = (spheres(cameras([y], pitch=0.0), 128, balls) for y in (0.0, 45.0))
    both = warp(first, other).both[0].flatten()
    person, points = first.mask.flatten() > 0, lift(first)[0].T
    there = other.camera[0, [3, 7, 11]]
    seen = torch.ones(len(points), dtype=torch.bool)
    for centre, radius in balls:
        # the first of the two places where the line from the other camera to the point meets this sphere
        away, direction = there - there.new_tensor(centre), torch.nn.functional.normalize(points - there, dim=1)
        half = direction @ away
        root = half**2 - away @ away + radius**2
        hit = torch.where(root > 0, -half - root.clamp(min=0).sqrt(), torch.inf)
        seen &= hit > (points - there).norm(dim=1) - 1e-3
    hidden = person & ~seen
    assert hidden.float().mean() > 0.02
    assert (both & hidden).sum() < 0.1 * hidden.sum()  # within 2 cm behind the edge
    assert (both & seen).sum() > 0.85 * (person & seen).sum()


def test_points_behind_the_camera_are_not_seen():
    first, other = (spheres(cameras([y]), 16, BALL) for y in (0.0, 180.0))
    behind = first._replace(depth=first.depth + 20)  # beyond the camera at the back
    assert not warp(behind, other).both.any()
