"""Layers against slow twins: resampling filters, modulated convolution, equalised layers, the spread of a group."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional as F  # noqa: E402, N812

from phq.generator.networks.discriminator import spread  # noqa: E402
from phq.generator.networks.filters import downsample, resize, smooth, upsample  # noqa: E402
from phq.generator.networks.layers import Conv, FullyConnected, normalised  # noqa: E402
from phq.generator.networks.mapping import MappingNetwork  # noqa: E402
from phq.generator.networks.modulated import StyledConv, ToColour, modulated_conv  # noqa: E402

TAPS = np.array([1.0, 3.0, 3.0, 1.0]) / 8


def images(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


def filtered(image: np.ndarray, before: int, after: int) -> np.ndarray:
    """Slow twin: one channel (H, W), padded by zeros, each output the sum of 16 products."""
    padded = np.pad(image, (before, after))
    side = len(padded) - 3
    kernel = np.outer(TAPS, TAPS)
    return np.array([[(kernel * padded[i : i + 4, j : j + 4]).sum() for j in range(side)] for i in range(side)])


def with_zeros(image: np.ndarray) -> np.ndarray:
    """Zeros put after every pixel."""
    wide = np.zeros((2 * len(image), 2 * len(image)))
    wide[::2, ::2] = image
    return wide


def each(function: object, stack: torch.Tensor) -> np.ndarray:
    """A function of one channel, for all of (B, C, H, W)."""
    return np.stack([[function(channel) for channel in sample] for sample in stack.numpy()])  # type: ignore[operator]


def test_upsampling_puts_zeros_between_and_filters_with_a_sum_of_four() -> None:
    x = images(2, 3, 5, 5)
    assert np.allclose(upsample(x), each(lambda c: 4 * filtered(with_zeros(c), 2, 1), x), atol=1e-14)


def test_upsampling_a_constant_keeps_it_inside() -> None:
    assert torch.allclose(upsample(torch.ones(1, 1, 6, 6))[..., 1:-1, 1:-1], torch.ones(10, 10))


def test_downsampling_filters_and_takes_every_second_pixel() -> None:
    x = images(2, 3, 6, 6)
    assert np.allclose(downsample(x), each(lambda c: filtered(c, 1, 1)[::2, ::2], x), atol=1e-14)
    assert np.allclose(smooth(x, pad=2, gain=3), each(lambda c: 3 * filtered(c, 2, 2), x), atol=1e-14)


def test_downsampling_is_the_transpose_of_upsampling() -> None:
    x, y = images(1, 2, 8, 8), images(1, 2, 4, 4)
    assert torch.allclose((downsample(x) * y).sum() * 4, (x * upsample(y)).sum())


def test_resizing_keeps_the_mean_and_leaves_the_right_size_alone() -> None:
    x = images(1, 1, 8, 8)
    assert resize(x, 8) is x
    smaller = resize(x, 4)
    assert smaller.shape == (1, 1, 4, 4)
    assert torch.allclose(resize(torch.ones(1, 1, 8, 8), 3), torch.ones(1, 1, 3, 3))


def modulated(x: torch.Tensor, weight: torch.Tensor, style: torch.Tensor, up: bool = False) -> torch.Tensor:
    y, norm = modulated_conv(x, weight, style, up)
    return y * norm


@pytest.mark.parametrize(("kernel", "up"), [(3, False), (3, True), (1, False)])
def test_modulated_convolution_forms_each_sample_s_weights(kernel: int, up: bool) -> None:
    x, weight, style = images(3, 4, 5, 5), images(6, 4, kernel, kernel), images(3, 4)
    for sample, s, found in zip(x, style, modulated(x, weight, style, up=up), strict=True):
        own = weight * s[None, :, None, None]
        own = own / (own.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if up:  # a transposed convolution is one with the turned kernel, of the image with zeros between
            wide = torch.tensor(each(with_zeros, sample[None]))
            full = F.conv2d(F.pad(wide[..., :-1, :-1], (2, 2, 2, 2)), own.flip(2, 3))
            expected = torch.tensor(each(lambda c: 4 * filtered(c, 1, 1), full))
        else:
            expected = F.conv2d(sample[None], own, padding=kernel // 2)
        assert torch.allclose(found, expected[0], atol=1e-12)


def test_derivatives_of_the_modulated_convolution() -> None:
    arguments = [images(2, 3, 4, 4), images(2, 3, 3, 3), images(2, 3)]
    assert torch.autograd.gradcheck(lambda *a: modulated(*a, up=True), [a.requires_grad_() for a in arguments])


def test_modulated_outputs_have_unit_variance_whatever_the_style() -> None:
    x = torch.randn(1, 64, 32, 32, generator=torch.Generator().manual_seed(0))
    style = torch.rand(1, 64, generator=torch.Generator().manual_seed(1)) * 30
    weight = torch.randn(64, 64, 3, 3, generator=torch.Generator().manual_seed(2))
    assert float(modulated(x, weight, style)[..., 1:-1, 1:-1].std()) == pytest.approx(1, abs=0.05)
    assert torch.isfinite(modulated(x.half(), weight * 1e4, style * 1e4)).all()


def test_noise_is_added_with_learned_strength() -> None:
    conv = StyledConv(3, 4, 5)
    x, w, noise = torch.randn(2, 3, 4, 4), torch.randn(2, 5), torch.randn(2, 1, 4, 4)
    assert torch.equal(conv(x, w, noise), conv(x, w, None))
    torch.nn.init.constant_(conv.strength, 0.5)
    clean = modulated(x, conv.weight, conv.affine(w)) + 0.5 * noise
    assert torch.allclose(conv(x, w, noise), F.leaky_relu(clean, 0.2) * 2**0.5, atol=1e-5)


@pytest.mark.parametrize("up", [False, True])
def test_a_styled_layer_and_all_its_gradients_are_those_of_the_steps_one_after_the_other(up: bool) -> None:
    conv = StyledConv(3, 4, 5, up=up).double()
    torch.nn.init.constant_(conv.strength, 0.5)
    torch.nn.init.normal_(conv.bias)
    side = 8 if up else 4
    inputs = [images(2, 3, 4, 4).requires_grad_(), images(2, 5).requires_grad_(), images(2, 1, side, side)]

    def by_steps(x: torch.Tensor, w: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        y = modulated(x, conv.weight, conv.affine(w), up=up) + noise * conv.strength + conv.bias[:, None, None]
        return F.leaky_relu(y, 0.2) * 2**0.5

    wanted = [*inputs[:2], *conv.parameters()]
    found, slow = conv(*inputs), by_steps(*inputs)
    torch.testing.assert_close(found, slow)
    weights = images(*found.shape)
    for own, other in zip(*(torch.autograd.grad((y * weights).sum(), wanted) for y in (found, slow)), strict=True):
        torch.testing.assert_close(own, other)


def test_slopes_of_slopes_of_a_convolution() -> None:
    """What R1 takes: activations are changed in place."""
    layer = Conv(2, 3, 3, down=True).double()
    assert torch.autograd.gradgradcheck(layer, (images(1, 2, 4, 4).requires_grad_(),))


def test_colours_are_a_modulated_sum_without_norm() -> None:
    layer, x, w = ToColour(3, 2, 5), torch.randn(2, 3, 4, 4), torch.randn(2, 5)
    style = layer.affine(w) / 3**0.5
    for image, s, found in zip(x, style, layer(x, w), strict=True):
        assert torch.allclose(found, torch.einsum("oi,i,ihw->ohw", layer.weight, s, image), atol=1e-5)


@pytest.mark.parametrize(("kernel", "down"), [(1, False), (3, False), (1, True), (3, True)])
def test_convolution_by_steps(kernel: int, down: bool) -> None:
    layer = Conv(3, 5, kernel, down=down, gain=0.5).double()
    torch.nn.init.normal_(layer.bias)
    x = images(2, 3, 8, 8)
    weight = layer.weight / (3 * kernel**2) ** 0.5
    if down:
        pad = 2 if kernel == 3 else 1
        expected = F.conv2d(torch.tensor(each(lambda c: filtered(c, pad, pad), x)), weight, stride=2)
    else:
        expected = F.conv2d(x, weight, padding=kernel // 2)
    expected = F.leaky_relu(expected + layer.bias[:, None, None], 0.2) * 2**0.5 * 0.5
    assert torch.allclose(layer(x), expected)


def test_the_rate_of_a_layer_scales_what_a_step_of_adam_changes() -> None:
    slow, fast = (FullyConnected(4, 3, rate=rate, bias=1.0) for rate in (0.01, 1.0))
    assert 0.2 < float(slow.scaled()[0].detach().std() / fast.scaled()[0].detach().std()) < 5
    assert torch.allclose(slow.scaled()[1], torch.ones(3))
    before = slow.scaled()[1].clone()
    with torch.no_grad():
        slow.bias += 1
    assert torch.allclose(slow.scaled()[1] - before, torch.full((3,), 0.01))


def test_mapping_normalises_and_truncates() -> None:
    torch.manual_seed(0)
    network = MappingNetwork(6, 4, 5, layers=2)
    z, labels = torch.randn(7, 6), torch.randn(7, 4)
    w = network(z, labels)
    assert torch.allclose(network(3 * z, labels), w, atol=1e-5)
    assert torch.allclose(normalised(z).square().mean(dim=1), torch.ones(7), atol=1e-4)
    for _ in range(3000):
        network.update_average(w)
    assert torch.allclose(network.average, w.mean(dim=0), atol=2e-2 * float(w.detach().abs().max()))
    assert torch.allclose(network.truncate(w, 0.0), network.average.expand(7, -1))
    assert network.truncate(w, 1.0) is w


def test_spread_is_that_of_groups_of_neighbours() -> None:
    x = images(6, 2, 3, 3)
    expected = [x[g].numpy().std(axis=0).mean() for g in (slice(0, 3), slice(3, 6))]
    found = spread(x, 4)  # three is the largest group up to four that divides six
    assert found.shape == (6, 1, 3, 3)
    assert np.allclose(found[:, 0, 0, 0], np.repeat(expected, 3))
    assert torch.allclose(spread(x[:3], 4), found[:3])
