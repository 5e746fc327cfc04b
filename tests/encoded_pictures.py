"""Pictures as the bytes of files, for the tests that read photos."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
from PIL import Image

WIDTH, HEIGHT = 160, 120


def has_heif() -> bool:
    try:
        import pillow_heif  # noqa: F401
    except ImportError:
        return False
    return True


def small_picture(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """A colourful picture without flat parts, the same every time."""
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(x / 9 + y / 17), np.cos(x / 13 - y / 7), np.sin((x + y) / 11)], axis=-1)
    noise = np.random.default_rng(0).normal(0, 6, waves.shape)
    return Image.fromarray(np.clip(128 + 90 * waves + noise, 0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """`image` as the bytes of a file; HEIF through pillow-heif without registering it for everyone."""
    out = io.BytesIO()
    if kind == "HEIF":
        import pillow_heif

        pillow_heif.from_pillow(image).save(out, quality=90, **options)
    else:
        image.save(out, kind, **options)
    return out.getvalue()


def encoded_deep(suffix: str, array: np.ndarray[Any, Any]) -> bytes:
    """An array of more than 8 bits in OpenCV's channel order (BGR) as a file, which Pillow cannot write."""
    return cv2.imencode(suffix, array)[1].tobytes()
