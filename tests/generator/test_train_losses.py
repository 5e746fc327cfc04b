"""Every loss against a slow, obvious twin."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from phq.generator.train import losses


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def minus_log_sigmoid(x: float) -> float:
    return -math.log(1 / (1 + math.exp(-x)))


def test_logistic_losses_are_minus_the_log_of_being_right():
    fake, real = numbers(6, 1, seed=1), 3 * numbers(6, 1, seed=2)
    of_fake, of_real = losses.judged(fake, real)
    assert float(of_fake) == pytest.approx(np.mean([minus_log_sigmoid(-x) for x in fake.flatten().tolist()]))
    assert float(of_real) == pytest.approx(np.mean([minus_log_sigmoid(x) for x in real.flatten().tolist()]))
    assert float(losses.fooled(fake)) == pytest.approx(np.mean([minus_log_sigmoid(x) for x in fake.flatten().tolist()]))


def logits_of(image: Tensor, raw: Tensor, mask: Tensor) -> Tensor:
    """A made-up discriminator with a slope that differs from pixel to pixel."""
    of_image, of_raw = (image**3).mean(dim=(1, 2, 3)), (raw.sin() * raw).sum(dim=(1, 2, 3))
    return (of_image + of_raw + mask.exp().prod(dim=-1).sum(dim=(1, 2)))[:, None]


def test_r1_is_half_the_squared_slope_at_the_pictures():
    pictures = [numbers(2, 3, 4, 4, seed=1), numbers(2, 3, 2, 2, seed=2), numbers(2, 1, 2, 2, seed=3)]
    inputs = [picture.clone().requires_grad_() for picture in pictures]
    found = losses.r1(logits_of(*inputs), inputs[0], inputs[1], inputs[2], weight=2.0, mask_weight=5.0)

    step, squares = 1e-5, []
    for which, picture in enumerate(pictures):
        total = 0.0
        for place in np.ndindex(*picture.shape):
            moved = [p.clone() for p in pictures]
            moved[which][place] += step
            above = logits_of(*moved)[place[0]]
            moved[which][place] -= 2 * step
            total += float((above - logits_of(*moved)[place[0]]) / (2 * step)) ** 2
        squares.append(total / 2)  # mean over two samples
    assert float(found.detach()) == pytest.approx(2.0 / 2 * (squares[0] + squares[1]) + 5.0 / 2 * squares[2], rel=1e-6)


def test_r1_can_be_differentiated_again():
    slope = torch.tensor(3.0, requires_grad=True)
    pictures = [numbers(1, channels, 2, 2).requires_grad_() for channels in (3, 3, 1)]
    logits = slope * sum(picture.sum() for picture in pictures).reshape(1, 1)
    losses.r1(logits, *pictures, weight=1.0, mask_weight=4.0).backward()
    assert float(slope.grad) == pytest.approx(3.0 * (12 + 12 + 4 * 4))  # d/ds of s²/2 · (24 + 4 · 4)


def test_density_regularisation_is_the_mean_difference():
    here, beside = numbers(2, 5, seed=1), numbers(2, 5, seed=2)
    twin = sum(abs(float(here[i, j] - beside[i, j])) for i in range(2) for j in range(5)) / 10
    assert float(losses.uneven(here, beside)) == pytest.approx(twin)


def test_pose_distance_sums_over_the_six_numbers():
    one, other = numbers(3, 6, seed=1), numbers(3, 6, seed=2)
    twin = np.mean([sum((float(one[i, j]) - float(other[i, j])) ** 2 for j in range(6)) for i in range(3)])
    assert float(losses.pose_distance(one, other)) == pytest.approx(twin)


def test_swapped_takes_the_row_before_where_chance_says_so():
    own = numbers(4, 2, 3)
    found = losses.swapped(own, torch.tensor([0.1, 0.5, 0.29, 0.31]), probability=0.3)
    for row, expected in enumerate([3, 1, 1, 3]):
        assert torch.equal(found[row], own[expected])
    uniform = torch.rand(4)
    assert torch.equal(losses.swapped(own, uniform, 0.0), own)
    assert torch.equal(losses.swapped(own, uniform, 1.0), own.roll(1, dims=0))


def test_blur_is_a_gaussian_with_nothing_beyond_the_border():
    images, sigma = numbers(1, 2, 5, 6), 1.1
    taps = {d: 2 ** -((d / sigma) ** 2) for d in range(-3, 4)}
    total = sum(taps.values()) ** 2
    found = losses.blurred(images, sigma)
    for c, y, x in np.ndindex(2, 5, 6):
        twin = sum(
            taps[dy] * taps[dx] / total * float(images[0, c, y + dy, x + dx])
            for dy in taps
            for dx in taps
            if 0 <= y + dy < 5 and 0 <= x + dx < 6
        )
        assert float(found[0, c, y, x]) == pytest.approx(twin)


def test_blur_that_reaches_no_neighbour_is_none():
    images = numbers(1, 3, 4, 4)
    assert losses.blurred(images, 0.3) is images
    assert losses.blurred(images, 0.0) is images
