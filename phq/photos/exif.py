"""What phq takes from EXIF: its directories, which way is up, and the focal length in pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from PIL import Image

_ORIENTATION = 0x0112
EXIF, INTEROPERABILITY = 0x8769, 0xA005
"""Directories of Exif by the tag that points to them."""
_FOCAL_LENGTH = 0x920A
_PIXEL_X, _PIXEL_Y = 0xA002, 0xA003
_FOCAL_PLANE_X_RESOLUTION = 0xA20E
_FOCAL_PLANE_UNIT = 0xA210
_FOCAL_LENGTH_35MM = 0xA405

_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
"""Millimetres of a FocalPlaneResolutionUnit; 4 and 5 are not in the standard but in cameras."""

_FILM_WIDTH_MM = 36.0

_TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture of each EXIF orientation upright (Exif 2.32 §4.6.4 A, Orientation)."""


def _read_exif(image: Image.Image) -> Image.Exif:
    """EXIF of `image`, empty where it is missing or damaged: the photo is kept."""
    try:
        return image.getexif()
    except Exception:  # noqa: BLE001 - Pillow's parser raises whatever the damaged bytes lead it to
        return Image.Exif()


def directory(image: Image.Image, tag: int = 0) -> Mapping[int, Any]:
    """One directory of the EXIF of `image`, the first or that of `tag`; empty where it is missing or damaged."""
    try:
        tags = _read_exif(image)
        return dict(tags.get_ifd(tag) if tag else tags)
    except Exception:  # noqa: BLE001 - see _read_exif
        return {}


def orientation(image: Image.Image) -> int:
    """Orientation 1..8 in EXIF, or else in XMP; 1 where neither states one."""
    return valid_orientation(_read_exif(image).get(_ORIENTATION, 1))


def valid_orientation(value: Any) -> int:
    """`value` if it is an EXIF orientation, else 1."""
    return int(value) if value in _TURN else 1


def orientation_of(tiff: bytes) -> int:
    """Orientation 1..8 in the TIFF structure of an Exif block; 1 where it states none."""
    tags = Image.Exif()
    try:
        tags.load(b"Exif\0\0" + tiff)
        return valid_orientation(tags.get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - see _read_exif
        return 1


def upright_size(image: Image.Image, value: int) -> tuple[int, int]:
    """Width and height after the turn of EXIF orientation `value`, from the header alone."""
    return (image.height, image.width) if value >= 5 else image.size


def turn_upright(image: Image.Image, value: int) -> Image.Image:
    """`image` turned upright from EXIF orientation `value`."""
    return image.transpose(_TURN[value]) if value in _TURN else image


def _positive(value: Any) -> float:
    """`value` as a finite number above 0, else 0."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0


def _focal_from_film(tags: Mapping[int, Any], long_side: int) -> float:
    return _positive(tags.get(_FOCAL_LENGTH_35MM)) / _FILM_WIDTH_MM * long_side


def _focal_from_sensor(tags: Mapping[int, Any], long_side: int) -> float:
    unit = _UNIT_MM.get(tags.get(_FOCAL_PLANE_UNIT, 2), 0.0)
    if not unit:
        return 0.0
    focal = _positive(tags.get(_FOCAL_LENGTH)) * _positive(tags.get(_FOCAL_PLANE_X_RESOLUTION)) / unit
    taken = max(_positive(tags.get(_PIXEL_X)), _positive(tags.get(_PIXEL_Y)))
    return focal * long_side / taken if taken else focal


def focal_from_tags(tags: Mapping[int, Any], width: int, height: int) -> float | None:
    """Focal length in photo pixels from the tags of the Exif directory, or None if they state none.

    First FocalLengthIn35mmFilm f₃₅ (whole millimetres): f = f₃₅ / 36 mm · long side, 36 mm being the long
    side of the film frame (the rule of OpenSfM). Cameras derive f₃₅ from the diagonal (CIPA DCG-001), so f is
    exact for 3:2 pictures and 4 % short for 4:3. Else FocalLength · FocalPlaneXResolution (Exif 2.32 §4.6.5),
    scaled by the long side over that of the picture as taken, since resizing keeps the tags.
    A value outside 0.1 to 100 times the long side is a wrong tag and counts as none.
    """
    long_side = max(width, height)
    for focal in (_focal_from_film(tags, long_side), _focal_from_sensor(tags, long_side)):
        if 0.1 * long_side <= focal <= 100 * long_side:
            return focal
    return None


def focal_px(image: Image.Image) -> float | None:
    """Focal length of an opened picture in photo pixels, or None; see `focal_from_tags`."""
    return focal_from_tags(directory(image, EXIF), image.width, image.height)


def assumed_focal_px(width: int, height: int) -> float:
    """Focal length in photo pixels where EXIF states none: 1.2 × the long side, 43 mm on full frame."""
    return 1.2 * max(width, height)
