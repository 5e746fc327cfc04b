from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from head_crops import SQUARES, native, noisy, oval, resized

from phq.quality.blur import laplacian_variance, sharpness

PHOTOS = sorted(SQUARES)


def score(image: np.ndarray, magnified: float = 1.0) -> float:
    return sharpness(image, oval(image.shape[0]), 1.0 / magnified)


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), sigma)


def falls(values: list[float]) -> bool:
    return all(a > b for a, b in pairwise(values))


@pytest.mark.parametrize("name", PHOTOS)
def test_sharpness_falls_with_every_kind_of_blur(name: str) -> None:
    image = native(name)
    size = image.shape[0]
    gaussian = [blurred(image, s) for s in (0.5, 1, 1.5, 2, 3, 4)]
    kernels = [np.full((1, n), 1 / n) for n in (5, 9, 17)]
    motion = [cv2.filter2D(image, -1, kernel) for kernel in kernels]
    coarser = [resized(resized(image, round(size / f)), size) for f in (1.5, 2, 3, 4)]
    for series in (gaussian, motion, coarser):
        assert falls([score(image), *(score(i) for i in series)])
    assert score(blurred(image, 8)) < score(blurred(image, 3))


def test_motion_along_either_axis_costs_alike() -> None:
    image = native("scikit-image-0.26.0__astronaut.png")
    across, down = (score(cv2.filter2D(image, -1, np.full(shape, 1 / 15))) for shape in ((1, 15), (15, 1)))
    assert across == pytest.approx(down, rel=0.25)
    assert max(across, down) < 0.6 * score(image)


@pytest.mark.parametrize("sigma", [1.0, 2.0, 4.0])
def test_it_measures_the_blur_of_a_step_edge(sigma: float) -> None:
    rows, columns = np.mgrid[:256, :256]
    checks = np.where((rows // 64 + columns // 64) % 2, 200, 60).astype(np.uint8)  # edges both ways
    diamonds = (rows + columns) // 90 % 2 == (rows - columns + 256) // 90 % 2
    tilted = np.where(diamonds, 200, 60).astype(np.uint8)
    grey = np.hstack([checks, tilted])
    grey = np.vstack([grey, grey])
    image = cv2.GaussianBlur(np.repeat(grey[..., None], 3, axis=2), (0, 0), sigma)
    everything = np.full((512, 512), 255, np.uint8)
    assert sharpness(image, everything, 1.0) == pytest.approx(1 / np.hypot(1, sigma), rel=0.1)


@pytest.mark.parametrize("name", PHOTOS)
def test_contrast_brightness_and_compression_hardly_matter(name: str) -> None:
    image = native(name)
    flat = ((image.astype(float) - 110) * 0.6 + 120).round().astype(np.uint8)
    jpeg = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR)
    assert score(flat) == pytest.approx(score(image), rel=0.04)
    assert score(jpeg) == pytest.approx(score(image), rel=0.08)


@pytest.mark.parametrize("name", PHOTOS)
def test_noise_does_not_pass_for_detail(name: str) -> None:
    image, soft = native(name), blurred(native(name), 3)
    assert score(noisy(image, 4)) == pytest.approx(score(image), rel=0.1)
    assert score(noisy(soft, 4)) < 0.75 * score(image)


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("factor", [1.5, 2.0, 4.0])
def test_magnification_for_storage_does_not_count(name: str, factor: float) -> None:
    image = native(name)
    size = round(image.shape[0] * factor)
    if size > 1100:
        image = resized(image, 256)
        size = round(256 * factor)
    few_edges = image.shape[0] < 200
    assert score(resized(image, size), size / image.shape[0]) == pytest.approx(
        score(image), rel=0.2 if few_edges else 0.1
    )


def test_a_sharp_background_does_not_count() -> None:
    """Neither inside the mask's border, nor when the mask runs over the silhouette by a few pixels."""
    person = native("scikit-image-0.26.0__astronaut.png")
    size = person.shape[0]
    mask = oval(size)
    gravel = np.random.default_rng(0).integers(0, 256, (size // 3 + 1, size // 3 + 1, 3), dtype=np.uint8)
    gravel = cv2.resize(gravel, (size, size), interpolation=cv2.INTER_NEAREST)
    loose = cv2.dilate(mask, np.ones((7, 7), np.uint8))
    for sigma in (2, 4):
        soft = blurred(person, sigma)
        alpha = cv2.GaussianBlur(mask.astype(float) / 255, (0, 0), sigma)[..., None]
        picture = (alpha * soft + (1 - alpha) * gravel).round().astype(np.uint8)
        alone = sharpness(soft, mask, 1.0)
        assert sharpness(picture, mask, 1.0) == pytest.approx(alone, rel=0.05)
        assert sharpness(picture, loose, 1.0) == pytest.approx(alone, rel=0.15)
        assert sharpness(picture, loose, 1.0) < 0.7 * sharpness(person, mask, 1.0)


def test_nothing_to_measure_scores_zero() -> None:
    image = native("scikit-image-0.26.0__astronaut.png")
    empty = np.zeros(image.shape[:2], np.uint8)
    dot = empty.copy()
    dot[100:110, 100:110] = 255
    flat = np.full_like(image, 90)
    assert sharpness(image, empty, 1.0) == 0.0
    assert sharpness(image, dot, 1.0) == 0.0
    assert score(flat) == 0.0
    assert score(noisy(flat, 3)) < 0.1
    assert sharpness(image, oval(image.shape[0]), 0.01) == 0.0


def test_laplacian_variance_is_that_of_the_grey_image() -> None:
    image = np.zeros((40, 40, 3), np.uint8)
    image[20, 20] = 100
    # the 4-neighbour Laplacian of a dot: −4·100 once, 100 four times, mean 0
    assert laplacian_variance(image) == pytest.approx((400**2 + 4 * 100**2) / 1600)
    red = np.zeros((40, 40, 3), np.uint8)
    red[20, 20, 0] = 100  # BT.601: red weighs 0.299
    assert laplacian_variance(red) == pytest.approx((4**2 + 4) * 30**2 / 1600)
