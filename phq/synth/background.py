"""What stands behind a person: a gradient, noise or blurred shapes."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from phq.synth.colours import mixed, wheel
from phq.system.arrays import Floats, Singles
from phq.system.linear import product

OCTAVES = (4, 8, 16, 32)
"""Cells along a side of each layer of clouds."""


def background(rng: np.random.Generator, size: int) -> Singles:
    """size × size × 3, sRGB 0..1. The same draw at another size is the same picture."""
    number = int(rng.choice(len(KINDS), p=[share for _, share in KINDS]))
    colours = _colours(rng)
    grid = np.stack(np.meshgrid(*[(np.arange(size) + 0.5) / size] * 2), -1)
    return np.clip(KINDS[number][0](rng, grid, colours), 0, 1)


def _colours(rng: np.random.Generator) -> Singles:
    """(3, 3) that go together: greys, or tints of neighbouring hue."""
    value = np.clip(rng.uniform(0.08, 0.95) + rng.normal(0, 0.13, 3), 0.03, 0.98)[:, None]
    saturation = rng.choice([0.06, 0.25, 0.55], p=[0.4, 0.4, 0.2])
    hue = rng.uniform() + rng.normal(0, 0.08, 3)
    return np.asarray(value * (1 - saturation + saturation * wheel(hue)), np.float32)


def _plain(rng: np.random.Generator, grid: Floats, colours: Singles) -> Singles:
    return mixed(colours[0], _gradient(rng, grid, colours), np.full(grid.shape[:2], 0.15))


def _gradient(rng: np.random.Generator, grid: Floats, colours: Singles) -> Singles:
    """From one side to the other, with a spot in it."""
    angle, centre, radius = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.8, 2), rng.uniform(0.2, 0.6)
    along = product(grid - 0.5, np.array([np.cos(angle), np.sin(angle)])) + 0.5
    spot = 0.7 * np.exp(-((np.linalg.norm(grid - centre, axis=-1) / radius) ** 2))
    return mixed(mixed(colours[0], colours[1], np.clip(along, 0, 1)), colours[2], spot)


def _clouds(rng: np.random.Generator, grid: Floats, colours: Singles) -> Singles:
    amount = np.zeros(grid.shape[:2], np.float32)
    for layer, cells in enumerate(OCTAVES, start=1):
        coarse = rng.uniform(0, 1, (cells, cells)).astype(np.float32)
        amount += cv2.resize(coarse, grid.shape[:2], interpolation=cv2.INTER_CUBIC) / layer
    amount /= sum(1 / layer for layer in range(1, len(OCTAVES) + 1))
    return mixed(colours[0], colours[1], np.clip(2 * amount - 0.5, 0, 1))


def _shapes(rng: np.random.Generator, grid: Floats, colours: Singles) -> Singles:
    """Discs and boxes out of focus."""
    size = len(grid)
    canvas = np.ascontiguousarray(_gradient(rng, grid, colours))
    for _ in range(int(rng.integers(4, 14))):
        middle, radius = rng.uniform(-0.1, 1.1, 2) * size, rng.uniform(0.05, 0.3) * size
        fill = (colours[int(rng.integers(3))] + rng.normal(0, 0.18, 3)).tolist()
        if rng.uniform() < 0.5:
            cv2.circle(canvas, np.rint(middle).astype(int).tolist(), round(radius), fill, -1, cv2.LINE_AA)
        else:
            low, high = (np.rint(middle + side * radius).astype(int).tolist() for side in (-1, 1))
            cv2.rectangle(canvas, low, high, fill, -1)
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.008, 0.05) * size), np.float32)


def _bands(rng: np.random.Generator, grid: Floats, colours: Singles) -> Singles:
    """Planks, blinds, shelves."""
    axis, count = int(rng.integers(2)), rng.uniform(3, 12)
    wave = 0.5 * np.cos(2 * np.pi * (grid[..., axis] * count + rng.uniform()))
    return mixed(colours[0], colours[1], np.clip(0.5 + wave * rng.uniform(1, 4), 0, 1))


Painter = Callable[[np.random.Generator, Floats, Singles], Singles]
KINDS: tuple[tuple[Painter, float], ...] = (
    (_plain, 0.12), (_gradient, 0.28), (_clouds, 0.2), (_shapes, 0.3), (_bands, 0.1),
)  # fmt: skip
"""Each painter of a size × size × 2 grid of places in 0..1 with three colours, and how often it is taken."""
