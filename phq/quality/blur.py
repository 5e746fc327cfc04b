"""Two blur scores: 360°PHQ's variance of the Laplacian, and a scale-aware sharpness of the person alone."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from phq.quality.exposure import grey
from phq.quality.noise import mad_sigma
from phq.system.arrays import Image

FINE, COARSE = 1.0, 2.5
"""Standard deviations of the two Gaussian derivatives compared, pixels of the measured grid."""
DIRECTIONS = (((0, 1), 0.0), ((1, 1), math.pi / 4), ((1, 0), math.pi / 2), ((1, -1), 3 * math.pi / 4))
"""Step to the next pixel (rows, columns) and angle (radians) of each derivative."""
STRONGEST = 0.1
"""Fraction of the edge pixels that are measured: those of the largest gradient at the coarse scale."""
FEWEST_EDGES = 8
FAINTEST_EDGE = 0.5
"""Root mean square gradient, grey levels a pixel, below which there is no edge to measure."""
MARGIN = 9
"""Pixels of the measured grid left out inside the mask's border: the reach of the coarse filter, and more for
a mask that runs over into a sharp background."""
ROUNDING = 1.0 / 12.0
"""Noise variance of rounding to whole grey levels."""


def laplacian_variance(crop: Image) -> float:
    """Variance of the Laplacian of the grey stored image: 360°PHQ's blur score (upstream drops below 4).

    It grows with contrast, noise and a sharp background, and shrinks with magnification; see `sharpness`.
    """
    return float(cv2.Laplacian(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


def sharpness(crop: Image, mask: NDArray[np.uint8], source_px_per_px: float) -> float:
    """How sharp the person's strongest edges are, 0 (no detail) to 1 (a perfect step); larger is sharper.

    The score is 1/√(1 + b²), with b the standard deviation in pixels of the Gaussian blur that the edges
    show. On an edge blurred by b, the gradient at scale σ is proportional to 1/√(b² + σ²), so the ratio of
    the gradients at two scales gives b whatever the contrast: S. Zhuo and T. Sim, "Defocus map estimation
    from a single image", Pattern Recognition 44(9), 2011. Squared gradients are summed over the strongest
    edge pixels (local maxima along the gradient, J. Canny 1986), less what the noise adds to them. This is
    done for derivatives in four directions, and the least sharp one counts: motion blurs one direction only.

    *Scale*: a magnified image (`source_px_per_px` < 1) is first reduced to its photo's own pixels. The score
    thus tells how well the coarser of the two grids, photo or stored image, is used; how coarse it is stays
    the matter of `source_px_per_px`. Magnifying a photo for storage does not change its score; defocus,
    motion, and a magnification that the photo brings along lower it.

    Typical: real photos and video frames 0.44 to 0.74; the same after a Gaussian blur of 1 px 0.37 to 0.61,
    2 px 0.27 to 0.43, 3 px 0.21 to 0.33, 4 px 0.16 to 0.26, 8 px 0.11 to 0.14.

    Args:
        crop: H × W × 3 RGB.
        mask: H × W, 0 or 255, of the person; its border and all beyond it do not count.
        source_px_per_px: photo pixels per crop pixel along one axis.

    Returns:
        0 also where nothing can be measured: a mask too small for the margin, or a person without edges.
    """
    image, inside = _measured_grid(crop, mask, min(1.0, source_px_per_px))
    if not inside.any():
        return 0.0
    noise = mad_sigma(image, inside) ** 2 + ROUNDING
    gradients = np.stack([_gradient(image, FINE), _gradient(image, COARSE)])
    return min(_edge_sharpness(gradients, inside, direction, noise) for direction in DIRECTIONS)


def _measured_grid(crop: Image, mask: NDArray[np.uint8], scale: float) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
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
    gradients: NDArray[np.float32],
    inside: NDArray[np.bool_],
    direction: tuple[tuple[int, int], float],
    noise: float,
) -> float:
    """1/√(1 + b²) of the derivative along one direction.

    Args:
        gradients: (fine or coarse, x or y, H, W).
        direction: one of `DIRECTIONS`.
        noise: variance.
    """
    step, angle = direction
    cos, sin = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    fine, coarse = gradients
    at_coarse = (cos * coarse[0] + sin * coarse[1]) ** 2
    before, after = (np.roll(at_coarse, shift, (0, 1)) for shift in (step, (-step[0], -step[1])))
    edges = inside & (at_coarse >= before) & (at_coarse >= after)
    if np.count_nonzero(edges) < FEWEST_EDGES:
        return 0.0
    at_fine, at_coarse = (cos * fine[0][edges] + sin * fine[1][edges]) ** 2, at_coarse[edges]
    strong = at_coarse >= np.quantile(at_coarse, 1.0 - STRONGEST)
    fine_energy = float(at_fine[strong].mean(dtype=np.float64)) - noise * NOISE_GAIN[0]
    coarse_energy = float(at_coarse[strong].mean(dtype=np.float64)) - noise * NOISE_GAIN[1]
    if coarse_energy <= FAINTEST_EDGE**2:
        return 0.0
    # r² = (b² + COARSE²) / (b² + FINE²) solved for 1 / (FINE² + b²), with FINE = 1
    inverse = (fine_energy / coarse_energy - 1.0) / (COARSE**2 - FINE**2)
    return math.sqrt(min(max(inverse, 0.0), 1.0))
