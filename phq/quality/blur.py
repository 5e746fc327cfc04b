"""Two blur scores: 360°PHQ's variance of the Laplacian, and a scale-aware sharpness of the person alone."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from phq.quality.exposure import grey
from phq.quality.noise import mad_sigma
from phq.work import Image

FINE, COARSE = 1.0, 2.0
"""Standard deviations of the two Gaussian derivatives compared, pixels of the measured grid."""
DIRECTIONS = 4
EDGES = 0.1
"""Fraction of the person's pixels that count as edges: those of the largest gradient at the coarse scale."""
MARGIN = 9
"""Pixels of the measured grid left out inside the mask's border: the reach of the coarse filter, and more for
a mask that runs over into a sharp background."""
FAINTEST_EDGE = 0.5
"""Root mean square gradient, grey levels a pixel, below which there is no edge to measure."""
FEWEST_PIXELS = 64
ROUNDING = 1.0 / 12.0
"""Noise variance of rounding to whole grey levels."""


def laplacian_variance(crop: Image) -> float:
    """Variance of the Laplacian of the grey stored image: 360°PHQ's blur score (upstream drops below 4).

    It grows with contrast, noise and a sharp background, and shrinks with magnification; see `sharpness`.
    """
    return float(cv2.Laplacian(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


def sharpness(crop: Image, mask: NDArray[np.uint8], source_px_per_px: float) -> float:
    """How sharp the person's sharpest edges are, 0 (no detail) to 1 (a perfect step); larger is sharper.

    The score is 1/√(1 + b²), with b the standard deviation in pixels of the Gaussian blur that the edges
    show. At an edge blurred by b, the gradient at scale σ is proportional to 1/√(b² + σ²), so the ratio of
    the gradients at two scales gives b whatever the contrast: S. Zhuo and T. Sim, "Defocus map estimation
    from a single image", Pattern Recognition 44(9), 2011. Squared gradients are summed over the strongest
    edges, less what the noise adds to them. This is done for derivatives in four directions, and the least
    sharp one counts: motion blurs one direction only.

    *Scale*: a magnified image (`source_px_per_px` < 1) is first reduced to its photo's own pixels. The score
    thus tells how well the coarser of the two grids, photo or stored image, is used; how coarse it is stays
    the matter of `source_px_per_px`. Magnifying a photo for storage does not change its score; defocus,
    motion, and a magnification that the photo brings along lower it.

    Typical: good photographs 0.45 to 0.65, compressed video frames 0.39 to 0.55; the same after a Gaussian
    blur of 2 px 0.24 to 0.36, 4 px 0.06 to 0.21, 8 px up to 0.13.

    Args:
        crop: H × W × 3 RGB. mask: H × W, 0 or 255, of the person; its border and all beyond it do not count.
        source_px_per_px: photo pixels per crop pixel along one axis.

    Returns:
        0 also where nothing can be measured: a mask too small for the margin, or a person without any edge.
    """
    image, inside = _measured_grid(crop, mask, min(1.0, source_px_per_px))
    if np.count_nonzero(inside) < FEWEST_PIXELS:
        return 0.0
    noise = mad_sigma(image, inside) ** 2 + ROUNDING
    fine, coarse = _gradient(image, FINE)[:, inside], _gradient(image, COARSE)[:, inside]
    angles = [math.pi * i / DIRECTIONS for i in range(DIRECTIONS)]
    return min(_edge_sharpness(fine, coarse, angle, noise) for angle in angles)


def _measured_grid(
    crop: Image, mask: NDArray[np.uint8], scale: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Grey image and interior of the mask, both reduced by `scale` ≤ 1."""
    image = grey(crop)
    if scale < 1.0:
        size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        mask = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    person = (mask >= 250).astype(np.uint8)
    return image, cv2.erode(person, np.ones((2 * MARGIN + 1, 2 * MARGIN + 1), np.uint8)) > 0


def _gradient(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """(2, H, W) x and y derivatives after a Gaussian of `sigma` pixels, grey levels a pixel."""
    smooth = cv2.GaussianBlur(image, (0, 0), sigma)
    return np.stack([cv2.Sobel(smooth, cv2.CV_32F, dx, 1 - dx, ksize=1) / 2 for dx in (1, 0)])


def _noise_gain(sigma: float) -> float:
    """Variance of one derivative of white noise of variance 1: the energy of its impulse response."""
    impulse = np.zeros((33, 33), np.float32)
    impulse[16, 16] = 1.0
    return float((_gradient(impulse, sigma)[0] ** 2).sum())


NOISE_GAIN = _noise_gain(FINE), _noise_gain(COARSE)


def _edge_sharpness(
    fine: NDArray[np.float32], coarse: NDArray[np.float32], angle: float, noise: float
) -> float:
    """1/√(1 + b²) of the derivative at `angle` (radians); gradients are (2, N), `noise` is a variance."""
    cos, sin = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    fine_energy, coarse_energy = ((cos * x + sin * y) ** 2 for x, y in (fine, coarse))
    edges = coarse_energy >= np.quantile(coarse_energy, 1.0 - EDGES)
    at_fine = float(fine_energy[edges].mean(dtype=np.float64)) - noise * NOISE_GAIN[0]
    at_coarse = float(coarse_energy[edges].mean(dtype=np.float64)) - noise * NOISE_GAIN[1]
    if at_coarse <= FAINTEST_EDGE**2:
        return 0.0
    # r² = (b² + COARSE²) / (b² + FINE²) solved for 1 / (FINE² + b²), with FINE = 1
    return math.sqrt(min(max((at_fine / at_coarse - 1.0) / (COARSE**2 - FINE**2), 0.0), 1.0))
