"""The two representations, through one interface: slow twins, and what each can tell apart."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from small_generators import small_config  # noqa: E402

from phq.generator.networks.generator import representation  # noqa: E402
from phq.generator.networks.hybrid import CENTRE, HybridPlanes, direction_to_square  # noqa: E402
from phq.generator.networks.representation import Representation, TriGrid  # noqa: E402

BOX = 0.8


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def points_in_box(count: int, batch: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return (torch.rand(batch, 3, count, dtype=torch.float64, generator=generator) - 0.5) * BOX


@pytest.fixture(params=["trigrid", "hybrid"])
def planes(request: pytest.FixtureRequest) -> Representation:
    return representation(small_config(planes={"kind": request.param, "resolution": 8}, render={"box": BOX}))


def interpolated(grid: np.ndarray, place: list[float]) -> np.ndarray:
    """Slow twin: (C, n, m, …) at a place in [−1, 1] by axis, last axis first, zero outside; multilinear."""
    total = np.zeros(len(grid))
    sizes = grid.shape[1:]
    at = [((p + 1) * size - 1) / 2 for p, size in zip(place[::-1], sizes, strict=True)]
    for corner in np.ndindex(*[2] * len(at)):
        index = [int(np.floor(a)) + c for a, c in zip(at, corner, strict=True)]
        share = np.prod([1 - abs(a - i) for a, i in zip(at, index, strict=True)])
        if all(0 <= i < size for i, size in zip(index, sizes, strict=True)):
            total += share * grid[(slice(None), *index)]
    return total


def test_a_point_of_the_tri_grid_is_the_mean_of_three_interpolations() -> None:
    planes = TriGrid(4, 2, 3, BOX)
    maps, points = random(2, planes.channels, 4, 4), points_in_box(20)
    found = planes.sample(maps, points)
    assert found.shape == (2, 2, 20)
    for b in range(2):
        grids = maps[b].reshape(3, 2, 3, 4, 4).numpy()
        for n in range(20):
            x, y, z = (points[b, :, n] * 2 / BOX).tolist()
            # column, row and layer of the planes XY, XZ and YZ
            parts = [interpolated(g, p) for g, p in zip(grids, ([x, y, z], [x, z, y], [y, z, x]), strict=True)]
            assert np.allclose(found[b, :, n], np.mean(parts, axis=0))


def test_a_point_of_the_hybrid_is_the_mean_of_three_planes_and_the_map() -> None:
    planes = HybridPlanes(4, 3, BOX)
    maps, points = random(1, 3, 8, 8), points_in_box(20, batch=1)
    found = planes.sample(maps, points)
    quarters = [maps[0, :, i : i + 4, j : j + 4].numpy() for i in (0, 4) for j in (0, 4)]
    column, row = direction_to_square(points - torch.tensor(CENTRE, dtype=torch.float64)[:, None])
    for n in range(20):
        x, y, z = (points[0, :, n] * 2 / BOX).tolist()
        places = ([x, y], [x, z], [y, z], [float(column[0, n]), float(row[0, n])])
        parts = [interpolated(q, list(p)) for q, p in zip(quarters, places, strict=True)]
        assert np.allclose(found[0, :, n], np.mean(parts, axis=0))


def test_features_are_continuous_and_zero_outside(planes: Representation) -> None:
    maps, points = random(2, planes.channels, planes.side, planes.side), points_in_box(500) * 0.9
    near = planes.sample(maps, points + 1e-6) - planes.sample(maps, points)
    assert float(near.abs().max()) < 1e-3
    assert float(planes.sample(maps, points + BOX * 1.5).abs().max()) == 0


def test_maps_and_points_have_derivatives(planes: Representation) -> None:
    maps, points = random(1, planes.channels, planes.side, planes.side), points_in_box(3, batch=1)
    arguments = [maps.requires_grad_(), points.requires_grad_()]
    assert torch.autograd.gradcheck(planes.sample, arguments, fast_mode=True)


def test_a_point_behind_a_plane_differs_from_its_mirror_image(planes: Representation) -> None:
    """Tri-planes of depth one see the same on both sides of XY, but for the other two planes, which learn it."""
    maps = random(1, planes.channels, planes.side, planes.side)
    if isinstance(planes, TriGrid):
        maps.view(3, -1, planes.side, planes.side)[1:] = 0
    else:
        maps[..., 0 : planes.side // 2, planes.side // 2 :] = 0
        maps[..., planes.side // 2 :, : planes.side // 2] = 0
    point = torch.tensor([0.05, 0.15, 0.2], dtype=torch.float64)
    both = torch.stack([point, point * torch.tensor([1, 1, -1])], dim=1)[None]
    front, back = planes.sample(maps, both)[0].T
    assert float((front - back).abs().max()) > 0.05


def test_texels_of_the_map_stand_for_nearly_equal_solid_angles() -> None:
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(1, 3, 200_000, dtype=torch.float64, generator=generator)
    column, row = (c[0].numpy() for c in direction_to_square(directions))
    assert np.abs(np.stack([column, row])).max() <= 1
    counts = np.histogram2d(column, row, bins=6, range=[[-1, 1], [-1, 1]])[0] / 200_000 * 36
    assert counts.min() > 0.4
    assert counts.max() < 1.4


def test_the_map_has_its_middle_up_and_its_border_down() -> None:
    vectors = torch.tensor([[0.0, 2, 0], [0.01, -1, 0], [0, -1, 0.01], [1, 0, 0]], dtype=torch.float64).T[None]
    column, row = (c[0] for c in direction_to_square(vectors))
    assert abs(column[0]) + abs(row[0]) < 1e-3
    assert float(column[1]) == pytest.approx(1, abs=0.02)
    assert float(row[2]) == pytest.approx(1, abs=0.02)
    assert 0.5 < float(column[3]) < 0.9
