"""Pictures of an export, cut from the stored crop or from the photo."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image as Pil
from pydantic import ValidationError

from phq.align.crop import CropBox, cut
from phq.align.padding import padding_fraction
from phq.config.build import Read
from phq.curate.annotate.raw_photos import find_photos, video_settings
from phq.errors import InputError
from phq.photos.decode import PhotoRejectError
from phq.photos.turn import turned
from phq.system.arrays import Floats, Image

Fields = Mapping[str, Any]
SAME = 1e-5
"""Crop pixels; a box that differs less from the whole crop is the whole crop."""


def window_box(row: Fields, window: Floats) -> CropBox:
    """Square of the stored crop, in crop pixels, whose intrinsics are `window` (3×3); it may reach beyond the crop."""
    stored, size = np.reshape(row["intrinsics"], (3, 3)), row["image_size"]
    scale = stored[0, 0] / window[0, 0]
    x0, y0 = (stored[:2, 2] - scale * window[:2, 2]) * size
    return CropBox(float(x0), float(y0), float(scale * size))


def from_crop(row: Fields, jpg: bytes, box: CropBox, size: int) -> tuple[Image, float]:
    """size × size × 3 RGB of a part of the stored crop, and the fraction of it that is beyond the photo."""
    crop = np.asarray(Pil.open(io.BytesIO(jpg)).convert("RGB"))
    x0, y0, x1, y1 = (np.asarray(row["photo_in_crop"]) - [box.x0, box.y0] * 2) * (size / box.side)
    outside = padding_fraction(np.clip([x0, y0, x1, y1], 0, size), size)
    if _is_whole(box, len(crop)) and size == len(crop):
        return crop, outside
    return cut(crop, box, size), outside


def fillable(row: Fields, box: CropBox) -> float:
    """Most of a part of the stored crop that only the photo has: beyond the crop, where the photo may go on; a fraction
    of the part."""
    size, seen = row["image_size"], np.asarray(row["photo_in_crop"], float)
    ends = np.isclose(seen, [0, 0, size, size], rtol=0, atol=SAME)
    whole = np.where(ends, [-np.inf, -np.inf, np.inf, np.inf], seen)
    inside = [np.clip(sides - [box.x0, box.y0] * 2, 0, box.side) for sides in (seen, whole)]
    return padding_fraction(inside[0], box.side) - padding_fraction(inside[1], box.side)


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
    """The photos a dataset was built from, found by their sha256 under any name.

    Args:
        source: see `phq.photos.contents.photos_of`; read only.
        rows: samples, with ``source_sha256`` and ``source_path``.
        run: content of ``run.json``.

    Raises:
        InputError: a photo is missing.
    """

    def __init__(self, source: str | Path, rows: Sequence[Fields], run: Mapping[str, Any]) -> None:
        names = {row["source_sha256"]: row["source_path"] for row in rows}
        self._found = find_photos(source, names, video_settings(run))
        self._read = read_settings(run)
        if missing := [name for digest, name in names.items() if digest not in self._found]:
            raise InputError(
                f"{len(missing)} photos are missing, such as {missing[0]}: no file of {source} has their sha256"
            )

    def cut(self, row: Fields, box: CropBox, size: int) -> tuple[Image, float]:
        """As `from_crop`, from the photo's own pixels.

        Raises:
            InputError: the photo cannot be decoded.
        """
        photo = self._found[row["source_sha256"]]
        try:
            pixels = photo.decode(self._read.max_pixels, self._read.background).pixels
        except PhotoRejectError as error:
            raise InputError(f"{photo.path} cannot be decoded: {error}") from error
        pixels = turned(pixels, row["photo_turn_deg"])
        height, width = pixels.shape[:2]
        (scale, _, x), (_, _, y) = np.reshape(row["crop_to_source"], (2, 3))
        in_photo = CropBox(float(x + scale * box.x0), float(y + scale * box.y0), float(scale * box.side))
        outside = padding_fraction(in_photo.photo_part(width, height, size), size)
        return cut(pixels, in_photo, size), outside


def read_settings(run: Mapping[str, Any]) -> Read:
    """Settings that a dataset's photos were read with (largest photo, colour under transparent pixels).

    Args:
        run: content of ``run.json``.
    """
    try:
        return Read.model_validate(run["config"]["read"])
    except (TypeError, KeyError, ValidationError):
        return Read()
