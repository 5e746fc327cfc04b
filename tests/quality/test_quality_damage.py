"""Every score of a picture's quality gets worse as a good photo is damaged more."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
import scipy.stats
from head_crops import SQUARES, native, noisy, oval, resized
from PIL import Image

from phq.align.crop import CropBox, cut
from phq.quality.blocks import blockiness
from phq.quality.naturalness import asymmetric_gaussian, mscn, naturalness

SIZE = 384
WHOLE = np.array([[1.0, 0, 0], [0, 1.0, 0]])
SHARP = [name for name in sorted(SQUARES) if "f100" not in name]
"""Not the one that is magnified twentyfold."""


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality)
    return np.array(Image.open(stream))


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), sigma)


def portrait(name: str) -> np.ndarray:
    return resized(native(name), SIZE)


@pytest.mark.parametrize("name", SHARP)
def test_niqe_rises_with_blur_and_with_noise(name: str) -> None:
    crop, mask = portrait(name), oval(SIZE)
    clean = naturalness(crop, mask, 1.0)
    for damage, levels in ((blurred, (2, 4, 8)), (noisy, (8, 16, 32))):
        scores = [naturalness(damage(crop, level), mask, 1.0) for level in levels]
        assert clean < scores[0] < scores[1] < scores[2], damage.__name__
    assert 0 < clean < 3.5


def test_niqe_is_of_the_person_alone_and_says_nothing_of_a_few_pixels() -> None:
    crop, mask = portrait(SHARP[0]), oval(SIZE)
    spoiled = np.where(mask[..., None] > 0, crop, noisy(crop, 40))
    assert naturalness(spoiled, mask, 1.0) == pytest.approx(naturalness(crop, mask, 1.0), rel=0.1)
    assert naturalness(crop, np.zeros_like(mask), 1.0) == 0.0
    assert naturalness(crop, mask, 0.05) == 0.0


@pytest.mark.parametrize("shape", [0.6, 1.0, 2.0, 4.0])
def test_the_shape_of_a_generalised_gaussian_is_found(shape: float) -> None:
    values = scipy.stats.gennorm(shape).rvs(200_000, random_state=np.random.default_rng(1)).astype(np.float32)
    found, left, right = asymmetric_gaussian(values.reshape(1, 400, 500))
    assert found[0] == pytest.approx(shape, rel=0.05)
    assert left[0] == pytest.approx(right[0], rel=0.05)
    lopsided = np.where(values < 0, 3 * values, values).reshape(1, 400, 500)
    found, left, right = asymmetric_gaussian(lopsided)
    assert left[0] == pytest.approx(3 * right[0], rel=0.05)


def test_mscn_is_what_its_formula_says_at_one_pixel() -> None:
    image = np.random.default_rng(0).uniform(0, 255, (32, 32)).astype(np.float32)
    offsets = np.arange(-3, 4)
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * (7 / 6) ** 2))
    window /= window.sum()
    part = image[13:20, 9:16]
    mean = (window * part).sum()
    deviation = np.sqrt((window * (part - mean) ** 2).sum())
    assert mscn(image)[16, 12] == pytest.approx((image[16, 12] - mean) / (deviation + 1), rel=1e-3)


@pytest.mark.parametrize("name", SHARP)
@pytest.mark.parametrize("box", [CropBox(0, 0, 256), CropBox(37.3, 11.9, 300.0), CropBox(3.0, 5.0, 200.0)])
def test_blockiness_rises_with_compression_wherever_the_crop_is_cut(name: str, box: CropBox) -> None:
    photo = resized(native(name), 384)
    scores = []
    for quality in (90, 50, 20, 8):
        crop = cut(jpeg(photo, quality), box, 256)
        scores.append(blockiness(crop, box.to_source(256), (384, 384)))
    assert scores == sorted(scores)
    assert scores[0] < 0.2 and scores[-1] > 0.42
    clean = cut(photo, box, 256)
    assert blockiness(clean, box.to_source(256), (384, 384)) < 0.15


def test_blocks_are_found_in_a_photo_that_its_exif_note_has_turned() -> None:
    stored = jpeg(resized(native(SHARP[0]), 387)[:, :381], 8)
    turned = np.ascontiguousarray(stored[::-1, ::-1])
    assert blockiness(turned[:381], WHOLE, (381, 387)) > 0.4


def test_a_plane_has_no_blocks_and_no_detail() -> None:
    plane = np.full((256, 256, 3), 120, np.uint8)
    assert blockiness(plane, WHOLE, (256, 256)) == 0.0
    assert blockiness(plane, 4 * WHOLE, (1024, 1024)) == 0.0
