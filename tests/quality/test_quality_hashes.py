from __future__ import annotations

import math
from itertools import combinations

import cv2
import numpy as np
import pytest
from head_crops import SQUARES, native, resized

from phq.quality.hashes import phash, phash_mirror

PHOTOS = sorted(SQUARES)


def bits(a: str, b: str) -> int:
    return bin(int(a, 16) ^ int(b, 16)).count("1")


def slow_phash(crop: np.ndarray) -> str:
    """The definition, sum by sum."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    g = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(float)
    basis = [[math.cos(math.pi * k * (2 * n + 1) / 64) for n in range(32)] for k in range(8)]
    low = [
        sum(g[y, x] * basis[u][y] * basis[v][x] for y in range(32) for x in range(32))
        for u in range(8)
        for v in range(8)
    ]
    middle = sum(sorted(low)[31:33]) / 2
    return f"{int(''.join('1' if value > middle else '0' for value in low), 2):016x}"


def test_it_is_the_standard_hash() -> None:
    crop = resized(native(PHOTOS[0]), 256)
    assert phash(crop) == slow_phash(crop)


@pytest.mark.parametrize("name", PHOTOS)
def test_the_hash_survives_encoding_resizing_and_light(name: str) -> None:
    crop = resized(native(name), 512)
    jpeg = cv2.imdecode(cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], cv2.IMREAD_COLOR)
    brighter = np.clip(crop.astype(int) + 15, 0, 255).astype(np.uint8)
    for same in (jpeg, resized(crop, 256), resized(crop, 700), brighter):
        assert bits(phash(same), phash(crop)) <= 4


@pytest.mark.parametrize("name", PHOTOS)
def test_the_mirror_image_has_the_mirror_hash(name: str) -> None:
    crop = native(name)
    assert phash(np.fliplr(crop)) == phash_mirror(crop)
    assert phash_mirror(np.fliplr(crop)) == phash(crop)


def test_different_people_are_far_apart() -> None:
    hashes = [(phash(native(name)), phash_mirror(native(name))) for name in PHOTOS]
    for (a, _), (b, b_mirror) in combinations(hashes, 2):
        assert min(bits(a, b), bits(a, b_mirror)) > 16


@pytest.mark.parametrize("level", [0, 1, 77, 128, 254, 255])
def test_flat_images_share_one_hash(level: int) -> None:
    expected = "8000000000000000" if level else "0000000000000000"
    assert phash(np.full((300, 300, 3), level, np.uint8)) == expected
