"""Large pictures made small for a network."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from phq.photos.shrink import resized_by_area


def picture(width: int, height: int) -> np.ndarray:
    """Smooth, with an edge."""
    rows, columns = np.mgrid[:height, :width]
    grey = 127 + 80 * np.sin(columns / 90) * np.cos(rows / 70) + 40 * (columns > width / 3)
    return np.stack([grey, grey / 2, 255 - grey], -1).astype(np.uint8)


@pytest.mark.parametrize("size", [(1920, 1080), (1303, 1707), (4031, 3023)])
def test_a_large_picture_is_averaged_as_by_exact_areas_but_for_three_levels(size):
    large = picture(*size)
    exact = cv2.resize(large, (416, 300), interpolation=cv2.INTER_AREA).astype(int)
    off = np.abs(resized_by_area(large, 416, 300) - exact)
    assert off.mean() < 1
    assert np.percentile(off, 99) <= 3


def test_a_picture_that_shrinks_little_is_averaged_by_exact_areas_and_a_small_one_interpolated():
    pixels = picture(900, 700)
    exact = cv2.resize(pixels, (416, 416), interpolation=cv2.INTER_AREA)
    assert np.array_equal(resized_by_area(pixels, 416, 416), exact)
    assert np.array_equal(resized_by_area(pixels, 999, 800), cv2.resize(pixels, (999, 800)))
