"""Head-and-shoulder crops of the bundled photos, with a rough mask inside the person."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np

PHOTOS = Path(__file__).parent.parent / "examples" / "photos"
SQUARES = {  # centre x (of the width), centre y (of the height), side (of the width)
    "face_recognition-1.3.0__obama.jpg": (0.50, 0.35, 0.70),
    "scikit-image-0.26.0__astronaut.png": (0.44, 0.40, 0.76),
    "scikit-image-0.26.0__camera.png": (0.38, 0.32, 0.56),
    "pose2sim-0.10.49__Single_cam4_f000.jpg": (0.27, 0.38, 0.38),
    "sports2d-0.8.34__demo_f100.jpg": (0.589, 0.58, 0.065),
}


@cache
def native(name: str) -> np.ndarray:
    """The square of the photo that holds head and shoulders, at the photo's own size."""
    bgr = cv2.imread(str(PHOTOS / name))
    assert bgr is not None, name
    height, width = bgr.shape[:2]
    x, y, side = (f * n for f, n in zip(SQUARES[name], (width, height, width), strict=True))
    corner = round(y - side / 2), round(x - side / 2)
    cut = bgr[max(corner[0], 0) : corner[0] + round(side), max(corner[1], 0) : corner[1] + round(side)]
    n = min(cut.shape[:2])
    return np.ascontiguousarray(cut[:n, :n, ::-1])


def resized(image: np.ndarray, size: int) -> np.ndarray:
    """The image at another size, by area when it shrinks."""
    shrinks = size < image.shape[0]
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def oval(size: int) -> np.ndarray:
    """Mask of an upright oval: face and chest, clear of the silhouette in every crop here."""
    mask = np.zeros((size, size), np.uint8)
    cv2.ellipse(mask, (size // 2, int(size * 0.68)), (int(size * 0.22), int(size * 0.38)), 0, 0, 360, 255, -1)
    return mask


def noisy(image: np.ndarray, sigma: float, seed: int = 0) -> np.ndarray:
    """The image with the same Gaussian noise in all channels, so that `sigma` is that of the luma."""
    noise = np.random.default_rng(seed).normal(0, sigma, (*image.shape[:2], 1))
    return np.clip(image + noise, 0, 255).round().astype(np.uint8)
