"""A face that somebody pixelated is told from everything that was not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from head_crops import native

from phq.photos.region import Region
from phq.quality.pixelation import PIXELATED, pixelation

SKULL = Region(200.0, 180.0, 190.0)
"""Of the portrait below, which is 400 pixels wide."""


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return cv2.resize(native("face_recognition-1.3.0__obama.jpg"), (400, 400), interpolation=cv2.INTER_AREA)


def hidden(picture: np.ndarray, box: tuple[int, int, int, int], columns: int, rows: int) -> np.ndarray:
    """The picture with x0, y0, x1, y1 of it in so many flat cells."""
    out = picture.copy()
    x0, y0, x1, y1 = box
    cells = cv2.resize(out[y0:y1, x0:x1], (columns, rows), interpolation=cv2.INTER_AREA)
    out[y0:y1, x0:x1] = cv2.resize(cells, (x1 - x0, y1 - y0), interpolation=cv2.INTER_NEAREST)
    return out


def compressed(picture: np.ndarray, quality: int) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


@pytest.mark.parametrize("cells", [(5, 7), (8, 8), (10, 12)])
@pytest.mark.parametrize("quality", [60, 95])
def test_cells_of_any_number_and_shape_are_seen_through_compression(portrait, cells, quality):
    assert pixelation(compressed(hidden(portrait, (150, 110, 250, 250), *cells), quality), SKULL) > PIXELATED


def test_a_grid_of_cells_that_are_no_whole_number_of_pixels_is_seen(portrait):
    smaller = cv2.resize(hidden(portrait, (150, 110, 250, 250), 7, 9), (347, 347), interpolation=cv2.INTER_AREA)
    assert pixelation(smaller, Region(200 * 347 / 400, 180 * 347 / 400, 190 * 347 / 400)) > PIXELATED


@pytest.mark.parametrize("quality", [5, 10, 20, 50, 95])
def test_compression_however_strong_is_no_pixelated_face(portrait, quality):
    assert pixelation(compressed(portrait, quality), SKULL) < PIXELATED


def test_a_photo_that_was_enlarged_to_squares_all_over_is_no_pixelated_face(portrait):
    enlarged = hidden(portrait, (0, 0, 400, 400), 50, 50)
    assert pixelation(enlarged, SKULL) == 0


def test_large_photos_are_judged_as_small_ones(portrait):
    large = cv2.resize(hidden(portrait, (150, 110, 250, 250), 6, 8), (2000, 2000), interpolation=cv2.INTER_NEAREST)
    assert pixelation(large, Region(1000.0, 900.0, 950.0)) > PIXELATED
    plain = cv2.resize(portrait, (2000, 2000), interpolation=cv2.INTER_CUBIC)
    assert pixelation(plain, Region(1000.0, 900.0, 950.0)) < PIXELATED


@pytest.mark.parametrize("skull", [Region(0, 0, 6), Region(-900, 50, 100), Region(399, 399, 300), Region(50, 50, 0.2)])
def test_heads_at_the_edge_outside_or_of_no_size_have_a_score(portrait, skull):
    assert 0 <= pixelation(portrait, skull) < PIXELATED
