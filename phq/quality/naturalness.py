"""How far a picture's fine statistics are from those of good photographs: NIQE, over the person alone.

A. Mittal, R. Soundararajan and A. Bovik, "Making a 'completely blind' image quality analyzer", IEEE Signal Processing
Letters 20(3), 2013. Divided by its local contrast, a good photograph has the same distribution everywhere; blur, noise
and compression each change its shape. Two things differ from the paper: only patches of the person count (a background
that is out of focus is no fault), and, as a head gives few patches, their mean alone is compared, with the covariance
of good photographs. ``niqe_table.json`` has that mean and covariance, fitted by ``tools/fit_naturalness.py``.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from phq.quality.exposure import grey
from phq.system.arrays import Doubles, Image
from phq.system.elementary import exp, log_gamma
from phq.system.linear import inverse, product

PATCH = 32
"""Side of a patch, pixels of the measured grid; half of it at the coarser scale."""
COVERED = 0.75
"""Least part of a patch that the person fills."""
DARKEST, BRIGHTEST = 1, 250
CLIPPED = 0.25
"""Most of a patch that may be darker or brighter than that: what is cut off there is not for this score to say."""
FEWEST = 6
"""Patches that a mean is taken over; with less nothing is measured."""
WINDOW = 7 / 6
"""Standard deviation of the 7 × 7 Gaussian window, pixels."""
STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Neighbours whose products are taken (rows, columns)."""
SHAPES = np.arange(0.2, 10.001, 0.001)
RIDGE = 1e-3
"""Added to the diagonal of the covariance, in units of its mean."""


def naturalness(crop: Image, mask: NDArray[np.uint8], source_px_per_px: float) -> float:
    """Distance from good photographs, 0 and up; larger is worse. 0 also where the person fills too few patches.

    A magnified picture is first reduced to its photo's own pixels, as in `phq.quality.blur.sharpness`: that a photo is
    small is the matter of ``source_px_per_px``. Typical: clean portraits 1.5 to 3; the same after a Gaussian blur of 3
    pixels or under noise of 15 grey levels 3.5 to 8. Light compression does not raise it; `phq.quality.blocks` does.

    Args:
        crop: H × W × 3 RGB.
        mask: H × W, 0 or 255, of the person.
        source_px_per_px: photo pixels per crop pixel.
    """
    image, person = grey(crop), mask.astype(np.float32) / np.float32(255)
    if source_px_per_px < 1:
        size = tuple(max(1, round(n * source_px_per_px)) for n in image.shape[::-1])
        image, person = (cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in (image, person))
    clipped = ((image < DARKEST) | (image > BRIGHTEST)).astype(np.float32)
    inside = (_blocks(person, PATCH).mean((2, 3)) >= COVERED) & (_blocks(clipped, PATCH).mean((2, 3)) <= CLIPPED)
    if np.count_nonzero(inside) < FEWEST:
        return 0.0
    mean, precision = good_photographs()
    off = patch_features(image, inside).mean(0) - mean
    return float(np.sqrt(product(off, precision, off)))


@cache
def good_photographs() -> tuple[Doubles, Doubles]:
    """(36,) mean of the features of good photographs, and the (36, 36) inverse of their covariance."""
    table = json.loads((Path(__file__).parent / "niqe_table.json").read_text(encoding="utf-8"))
    covariance = np.array(table["covariance"])
    ridge = RIDGE * np.trace(covariance) / len(covariance)
    return np.array(table["mean"]), inverse(covariance + ridge * np.eye(len(covariance)))


def patch_features(image: NDArray[np.float32], chosen: NDArray[np.bool_]) -> Doubles:
    """(N, 36) features of the chosen patches of an H × W grey picture: 18 at each of two scales.

    Args:
        chosen: H // PATCH × W // PATCH, the whole patches from the upper left; N of them are true.
    """
    rows, columns = chosen.shape
    whole = np.ascontiguousarray(image[: rows * PATCH, : columns * PATCH])
    half = cv2.resize(whole, (columns * PATCH // 2, rows * PATCH // 2), interpolation=cv2.INTER_AREA)
    return np.concatenate([_one_scale(whole, PATCH, chosen), _one_scale(half, PATCH // 2, chosen)], axis=1)


def mscn(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean-subtracted, contrast-normalised picture: (I − μ) / (σ + 1), both under a 7 × 7 Gaussian window."""
    mean = cv2.GaussianBlur(image, (7, 7), WINDOW, borderType=cv2.BORDER_REFLECT_101)
    square = cv2.GaussianBlur(image * image, (7, 7), WINDOW, borderType=cv2.BORDER_REFLECT_101)
    deviation = np.sqrt(np.abs(square - mean * mean))
    return np.asarray((image - mean) / (deviation + 1), np.float32)


def _one_scale(image: NDArray[np.float32], side: int, chosen: NDArray[np.bool_]) -> Doubles:
    """(N, 18): shape and spread of the normalised picture, then four numbers of each of four products."""
    flat = mscn(image)
    shape, left, right = asymmetric_gaussian(_blocks(flat, side)[chosen])
    parts = [shape, (left + right) / 2]
    for rows, columns in STEPS:
        product = flat * np.roll(flat, (rows, columns), (0, 1))
        shape, left, right = asymmetric_gaussian(_blocks(product, side)[chosen])
        parts += [shape, _mean(shape, left, right), left, right]
    return np.stack(parts, axis=-1)


def _blocks(image: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """(rows, columns, side, side) whole patches of a picture; what is left over at the right and below is dropped."""
    rows, columns = (n // side for n in image.shape)
    whole = image[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return whole.transpose(0, 2, 1, 3)


def asymmetric_gaussian(values: NDArray[np.float32]) -> tuple[Doubles, Doubles, Doubles]:
    """Shape and left and right scale of an asymmetric generalised Gaussian, over the last two axes.

    Moment matching: N. Lasmar, Y. Stitou and Y. Berthoumieu, "Multiscale skewed heavy tailed model for texture
    analysis", ICIP 2009. A normal distribution has shape 2, a Laplacian 1; the scales are root mean squares.
    """
    square, size = np.square(values), np.abs(values).mean((-2, -1), dtype=np.float64)
    left, right = (_root_mean(square, side) for side in (values < 0, values > 0))
    balance = left / np.maximum(right, 1e-6)
    peak = size**2 / np.maximum(square.mean((-2, -1), dtype=np.float64), 1e-12)
    ratio = peak * (balance * balance * balance + 1) * (balance + 1) / (balance**2 + 1) ** 2
    place = np.searchsorted(_ratios(), ratio).clip(0, len(SHAPES) - 1)
    return SHAPES[place], left, right


def _root_mean(square: NDArray[np.float32], where: NDArray[np.bool_]) -> Doubles:
    total = (square * where).sum((-2, -1), dtype=np.float64)
    return np.asarray(np.sqrt(total / np.maximum(where.sum((-2, -1)), 1)))


@cache
def _ratios() -> Doubles:
    """E|x|² / E x² of a generalised Gaussian of each of `SHAPES`; rises with the shape."""
    return np.asarray(exp(2 * log_gamma(2 / SHAPES) - log_gamma(1 / SHAPES) - log_gamma(3 / SHAPES)))


def _mean(shape: Doubles, left: Doubles, right: Doubles) -> Doubles:
    """Mean of the distribution, up to sign, as BRISQUE and NIQE take it.

    Args:
        shape: of `SHAPES`.
        left: scale to the left.
        right: scale to the right.
    """
    return np.asarray((right - left) * _spreads()[np.searchsorted(SHAPES, shape)])


@cache
def _spreads() -> Doubles:
    """Γ(2/a) / √(Γ(1/a) Γ(3/a)) of each of `SHAPES`."""
    return np.asarray(exp(log_gamma(2 / SHAPES) - (log_gamma(1 / SHAPES) + log_gamma(3 / SHAPES)) / 2))
