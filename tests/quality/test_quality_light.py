from __future__ import annotations

import cv2
import numpy as np
import pytest
from head_crops import SQUARES, native, noisy, resized

from phq.quality.exposure import exposure
from phq.quality.noise import noise_sigma

WHOLE = (0.0, 0.0, 256.0, 256.0)


def smooth(name: str) -> np.ndarray:
    return cv2.GaussianBlur(resized(native(name), 256), (0, 0), 3)


def test_exposure_counts_the_person_alone() -> None:
    crop = np.full((10, 10, 3), 255, np.uint8)
    mask = np.zeros((10, 10), np.uint8)
    mask[:, :4] = 255
    crop[:, 0] = 0
    crop[:, 1:4] = 100
    luminance, under, over = exposure(crop, mask)
    assert luminance == pytest.approx(75 / 255)
    assert (under, over) == (0.25, 0.0)
    assert exposure(crop, np.full_like(mask, 255))[2] == pytest.approx(0.6)


def test_a_saturated_colour_is_neither_crushed_nor_blown() -> None:
    blue = np.zeros((4, 4, 3), np.uint8)
    blue[..., 2] = 255
    assert exposure(blue, np.full((4, 4), 255, np.uint8))[1:] == (0.0, 0.0)


def test_exposure_of_nobody_is_zero() -> None:
    assert exposure(np.full((4, 4, 3), 9, np.uint8), np.zeros((4, 4), np.uint8)) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("name", sorted(SQUARES))
@pytest.mark.parametrize("sigma", [2.0, 5.0, 10.0, 20.0])
def test_added_noise_is_recovered_on_smooth_photos(name: str, sigma: float) -> None:
    assert noise_sigma(noisy(smooth(name), sigma), WHOLE) == pytest.approx(sigma, rel=0.2)


@pytest.mark.parametrize("name", sorted(SQUARES))
def test_detail_is_not_taken_for_noise(name: str) -> None:
    crop = resized(native(name), 256)
    assert noise_sigma(crop, WHOLE) < 3.5
    assert noise_sigma(noisy(crop, 10), WHOLE) == pytest.approx(10, rel=0.2)


def test_noise_looks_at_the_photo_and_not_at_the_padding() -> None:
    crop = np.full((256, 256, 3), 128, np.uint8)
    crop[64:200, 40:256] = noisy(smooth("scikit-image-0.26.0__astronaut.png"), 8)[64:200, 40:256]
    assert noise_sigma(crop, (40.0, 64.0, 256.0, 200.0)) == pytest.approx(8, rel=0.2)
    assert noise_sigma(crop, (40.3, 63.8, 256.0, 199.6)) == pytest.approx(8, rel=0.2)
    assert noise_sigma(crop, (0.0, 0.0, 30.0, 40.0)) == 0.0


def test_clipped_pixels_do_not_hide_the_noise() -> None:
    grey = np.full((256, 256, 3), 128, np.uint8)
    grey[:, :150] = 255
    assert noise_sigma(noisy(grey, 6), WHOLE) == pytest.approx(6, rel=0.25)


@pytest.mark.parametrize("part", [(0, 0, 0, 0), (-3, -3, 0, 0), (100, 100, 101, 101), (50, 0, 40, 256)])
def test_without_photo_there_is_no_noise(part: tuple[float, float, float, float]) -> None:
    assert noise_sigma(noisy(np.full((256, 256, 3), 128, np.uint8), 6), part) == 0.0
