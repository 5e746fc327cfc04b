"""Where the pictures of an export come from: the stored crop, or the photo it was cut from."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image as Pil

from phq.align.crop import CropBox, cut
from phq.align.padding import padding_fraction
from phq.config.build import Read
from phq.errors import InputError, RejectError
from phq.photos.decode import Decoded, PhotoRejectError, decode, read_file
from phq.photos.discover import discover
from phq.system.arrays import Floats, Image

Fields = Mapping[str, Any]
SAME = 1e-5
"""Crop pixels; a box this near to the whole crop is the whole crop."""


def window_box(row: Fields, window: Floats) -> CropBox:
    """Square of the stored crop (crop pixels; may leave it) whose intrinsics are `window` (3×3)."""
    stored, size = np.reshape(row["intrinsics"], (3, 3)), row["image_size"]
    scale = stored[0, 0] / window[0, 0]
    x0, y0 = (stored[:2, 2] - scale * window[:2, 2]) * size
    return CropBox(float(x0), float(y0), float(scale * size))


def from_crop(row: Fields, jpg: bytes, box: CropBox, size: int) -> tuple[Image, float]:
    """size × size × 3 picture of a part of the stored crop, and the fraction of it that lies beyond the photo."""
    crop = np.asarray(Pil.open(io.BytesIO(jpg)).convert("RGB"))
    x0, y0, x1, y1 = (np.asarray(row["photo_in_crop"]) - [box.x0, box.y0] * 2) * (size / box.side)
    outside = padding_fraction(np.clip([x0, y0, x1, y1], 0, size), size)
    if _is_whole(box, len(crop)) and size == len(crop):
        return crop, outside
    return cut(crop, box, size), outside


def _is_whole(box: CropBox, size: int) -> bool:
    return bool(np.abs(np.array([box.x0, box.y0, box.side - size])).max() < SAME)


def mask_part(png: bytes, box: CropBox, size: int) -> Image:
    """size × size, 0 or 255: the same part of the stored mask; 0 beyond it."""
    mask = np.asarray(Pil.open(io.BytesIO(png)).convert("L"))
    step = box.side / size
    to_crop = np.array([[step, 0, box.x0 + (step - 1) / 2], [0, step, box.y0 + (step - 1) / 2]])
    soft = cv2.warpAffine(mask, to_crop, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return np.where(soft > 127, 255, 0).astype(np.uint8)


class Photos:
    """The photos a dataset was built from, found again by their sha256, wherever they lie below a folder."""

    def __init__(self, root: Path, read: Read) -> None:
        self.root = root
        self.settings = read

    def cut(self, row: Fields, box: CropBox, size: int) -> tuple[Image, float]:
        """What `from_crop` gives, from the photo's own pixels.

        Raises:
            InputError: the photo is not there.
        """
        pixels = self._decoded(row).pixels
        height, width = pixels.shape[:2]
        (scale, _, x), (_, _, y) = np.reshape(row["crop_to_source"], (2, 3))
        in_photo = CropBox(float(x + scale * box.x0), float(y + scale * box.y0), float(scale * box.side))
        outside = padding_fraction(in_photo.photo_part(width, height, size), size)
        return cut(pixels, in_photo, size), outside

    def _decoded(self, row: Fields) -> Decoded:
        for path in self._candidates(row):
            try:
                found = decode(path, self.settings.max_pixels, self.settings.background)
            except PhotoRejectError:
                continue
            if found.sha256 == row["source_sha256"]:
                return found
        raise InputError(f"{row['source_path']} is not below {self.root}, under no name: no file there has its sha256")

    def _candidates(self, row: Fields) -> Iterator[Path]:
        yield self.root / row["source_path"]
        if row["source_sha256"] in self._by_sha256:
            yield self._by_sha256[row["source_sha256"]]

    @cached_property
    def _by_sha256(self) -> dict[str, Path]:
        """Every file, read once; only needed where the photos were moved or renamed."""
        return {_sha256(found.path): found.path for found in discover(self.root)}


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(read_file(path)).hexdigest()
    except RejectError:
        return ""
