"""Volume rendering against slow twins: rays, marcher, importance sampling, and both passes together."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from small_generators import cameras  # noqa: E402

from phq.camera.convention import project  # noqa: E402
from phq.generator.config import Render  # noqa: E402
from phq.generator.networks import volume  # noqa: E402
from phq.generator.networks.march import interval_weights, mean_depth, sample_weights  # noqa: E402
from phq.generator.networks.rays import camera_rays  # noqa: E402
from phq.generator.networks.rng import SampleRng  # noqa: E402
from phq.generator.networks.volume import importance_samples, inverse_transform, stratified  # noqa: E402
from phq.pose import template  # noqa: E402

CPU = torch.device("cpu")


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_rays_of_the_front_camera() -> None:
    origins, directions = camera_rays(cameras([0], 0.0, torch.float64), 2)
    assert np.allclose(origins[0, :, 0], [0, 0, 2.7])
    forward = np.array([0, 0.0649, -2.7]) / np.hypot(0.0649, 2.7)
    assert np.allclose(directions.mean(dim=2)[0] / directions.mean(dim=2)[0].norm(), forward, atol=1e-12)
    # a quarter of the image from its middle, over the focal length: up and to the left in the first pixel
    aside = directions[0, :, 0] / (directions[0, :, 0] @ torch.tensor(forward))
    assert float(aside[0]) == pytest.approx(-0.25 / (5000 / 768))
    assert aside[1] > directions[0, 1, 2]


@pytest.mark.parametrize("yaw", [0, 90, 180, -37])
def test_rays_through_the_template_s_pixels_meet_its_points(yaw: float) -> None:
    side = 512
    camera = cameras([yaw], 11.0, torch.float64)
    origins, directions = camera_rays(camera, side)
    points = template.points()
    pixels = project(points, camera[0, :16].reshape(4, 4).numpy(), size=side)
    for point, (x, y) in zip(points, pixels, strict=True):
        if 0 <= x < side and 0 <= y < side:
            ray = directions[0, :, int(y) * side + int(x)].numpy()
            to_point = point - origins[0, :, 0].numpy()
            miss = np.linalg.norm(to_point - ray * (ray @ to_point))
            assert miss < 0.415 / side  # within half a pixel's diagonal


def test_skew_and_principal_point_invert_the_intrinsics() -> None:
    camera = cameras([20], dtype=torch.float64)
    K = torch.tensor([[5.0, 0.3, 0.4], [0, 6.0, 0.55], [0, 0, 1]], dtype=torch.float64)
    camera[0, 16:] = K.flatten()
    _, directions = camera_rays(camera, 4)
    in_camera = camera[0, :16].reshape(4, 4)[:3, :3].T @ directions[0]
    pixels = K @ (in_camera / in_camera[2])
    assert np.allclose(pixels[0].reshape(4, 4)[0], [0.125, 0.375, 0.625, 0.875])
    assert np.allclose(pixels[1].reshape(4, 4)[:, 0], [0.125, 0.375, 0.625, 0.875])


def slow_march(raw: np.ndarray, colours: np.ndarray, depths: np.ndarray) -> tuple[float, np.ndarray, float]:
    """Opacity, colour and depth of one ray by EG3D's formula, step by step."""
    passed, opacity, colour, depth = 1.0, 0.0, np.zeros(colours.shape[1]), 0.0
    for i in range(len(raw) - 1):
        middle = np.logaddexp(0, (raw[i] + raw[i + 1]) / 2 - 1)
        alpha = 1 - np.exp(-middle * (depths[i + 1] - depths[i]))
        weight = alpha * passed
        passed *= 1 - alpha
        opacity += weight
        colour += weight * (colours[i] + colours[i + 1]) / 2
        depth += weight * (depths[i] + depths[i + 1]) / 2
    return opacity, colour, depth / max(opacity, 1e-12)


def test_marching_is_the_sum_over_intervals() -> None:
    raw, colours = random(5, 9) * 30 - 10, random(5, 9, 3, seed=1)
    depths = random(5, 9, seed=2).sort(dim=-1).values + 2
    weights = interval_weights(raw, depths)
    summed = (colours * sample_weights(weights)[..., None]).sum(dim=1)
    for ray in range(5):
        opacity, colour, depth = slow_march(raw[ray].numpy(), colours[ray].numpy(), depths[ray].numpy())
        assert float(weights[ray].sum()) == pytest.approx(opacity)
        assert np.allclose(summed[ray], colour)
        assert float(mean_depth(weights, depths)[ray]) == pytest.approx(depth)


def test_a_slab_has_the_opacity_of_beer_and_lambert() -> None:
    depths = torch.linspace(0, 2, 401, dtype=torch.float64)
    raw = torch.full((401,), 2.0, dtype=torch.float64)
    opacity = interval_weights(raw, depths).sum()
    assert float(opacity) == pytest.approx(1 - np.exp(-2 * np.log1p(np.exp(1))))


def test_an_empty_ray_ends_at_the_far_end() -> None:
    depths = torch.linspace(2, 3, 5)
    weights = interval_weights(torch.full((5,), -1e3), depths)
    assert float(weights.sum()) == 0
    assert float(mean_depth(weights, depths)) == 3


def test_derivatives_of_the_marcher() -> None:
    depths = random(2, 6).sort(dim=-1).values
    assert torch.autograd.gradcheck(lambda raw: interval_weights(raw, depths), random(2, 6, seed=3).requires_grad_())


def test_strata_hold_one_sample_each() -> None:
    depths = stratified(2.0, 3.0, 10, random(4, 10))
    assert torch.equal((depths * 10 - 20).floor(), torch.arange(10, dtype=torch.float64).expand(4, 10))


def test_inverse_transform_is_that_of_each_bin() -> None:
    edges = random(3, 6).sort(dim=-1).values
    weights, rng = random(3, 5, seed=1) + 0.1, random(3, 40, seed=2)
    found = inverse_transform(edges, weights, rng)
    for ray in range(3):
        share = np.concatenate([[0], np.cumsum(weights[ray].numpy())])
        expected = np.interp(rng[ray], share / share[-1], edges[ray])
        assert np.allclose(found[ray], expected)


def test_importance_samples_lie_where_the_weights_are() -> None:
    depths = torch.linspace(0, 1, 11, dtype=torch.float64)
    weights = torch.zeros(10, dtype=torch.float64)
    weights[6] = 1.0  # seen between 0.6 and 0.7
    found = importance_samples(depths.expand(1, -1), weights.expand(1, -1), random(1, 20_000))[0]
    counts = np.histogram(found, bins=11 * 10 - 10, range=(0, 1))[0].reshape(10, 10).sum(axis=1) / 20_000
    # the mean of the maxima with either neighbour is 1/2, 1, 1/2 there, and 0.01 is added everywhere
    expected = np.full(10, 0.01)
    expected[5:8] += [0.5, 1.0, 0.5]
    assert np.allclose(counts, expected / expected.sum(), atol=0.01)


def field(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A ball of radius 0.15 about the origin, coloured by place."""
    return (0.15 - points.norm(dim=1)) * 20_000, points.clone()


@pytest.mark.parametrize("fine", [0, 12])
def test_two_passes_are_one_march_over_all_samples_in_order(fine: int) -> None:
    settings = Render(coarse=10, fine=fine)
    origins, directions = camera_rays(cameras([30, -100], dtype=torch.float64), 3)
    looked: list[torch.Tensor] = []

    def noted(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        looked.append(points)
        return field(points)

    seen = volume.render(noted, origins, directions, settings, SampleRng([1, 2], CPU))
    points = torch.cat([p.reshape(2, 3, 9, -1) for p in looked], dim=-1)
    for b in range(2):
        for ray in range(9):
            own = points[b, :, ray].T
            depths = (own - origins[b, :, 0]).norm(dim=1).numpy()
            order = np.argsort(depths)
            raw, colours = (x[0].numpy() for x in field(own.T[None]))
            opacity, colour, depth = slow_march(raw[order], colours.T[order], depths[order])
            assert float(seen.opacity[b, ray]) == pytest.approx(opacity, abs=1e-9)
            assert np.allclose(seen.features[b, :, ray], colour, atol=1e-6)
            if opacity > 1e-3:
                assert float(seen.depth[b, ray]) == pytest.approx(depth, rel=1e-4)


def test_fine_samples_find_the_surface() -> None:
    origins, directions = camera_rays(cameras([0], dtype=torch.float64), 1)
    depth = volume.render(field, origins, directions, Render(coarse=24, fine=48), SampleRng(None, CPU)).depth
    middle = origins[0, :, 0] + directions[0, :, 0] * depth[0, 0]
    assert float(middle.norm()) == pytest.approx(0.15, abs=0.012)


def test_a_sample_does_not_depend_on_its_batch() -> None:
    both, alone = SampleRng([3, 4], CPU), SampleRng([4], CPU)
    for shape in ((2, 3), (5,)):
        together = both.normal(*shape)
        single = alone.normal(*shape)
        assert together is not None
        assert single is not None
        assert torch.equal(together[1], single[0])
    assert SampleRng(None, CPU).uniform(3) is None
