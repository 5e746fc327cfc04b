"""Any decoded picture to 8-bit sRGB: depth, colour space, embedded profile, transparency."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
from PIL import Image, ImageCms

from phq.errors import RejectError

Colour = tuple[int, int, int]

_MODE_OF_SPACE = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab ": "LAB"}
"""Pillow's mode for each colour space an ICC profile can describe (ICC.1:2010 table 19)."""

_GREY = ("1", "L", "LA", "La")

_PHOTOMETRIC = 262
_BITS_PER_SAMPLE = 258
_WHITE_IS_ZERO = 0


@cache
def _standard_profile(name: str) -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(name))  # type: ignore[arg-type]


def _grey_8_bit(image: Image.Image) -> Image.Image:
    """Grey of up to 16 bits scaled to 8: full scale is 255, so 16 bits are divided by 257 and rounded."""
    tags = getattr(image, "tag_v2", {})
    full = (1 << int(tags.get(_BITS_PER_SAMPLE, (16,))[0])) - 1
    values = np.minimum(np.asarray(image).astype(np.uint32), full)
    grey = ((values * 255 + full // 2) // full).astype(np.uint8)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:  # Pillow inverts this only up to 8 bits
        grey = 255 - grey
    return Image.fromarray(grey)


def _eight_bit(image: Image.Image) -> Image.Image:
    """`image` in mode L, LA, RGB, RGBA, CMYK or LAB.

    Colour of 16 bits never arrives here: Pillow keeps its upper byte, within one grey level of rounding.

    Raises:
        RejectError: unsupported_format, for samples whose scale the file does not state.
    """
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        return _grey_8_bit(image)
    if image.mode in ("I", "F"):
        raise RejectError("unsupported_format", "32-bit samples, whose scale the file does not state")
    if image.has_transparency_data:
        return image.convert("LA" if image.mode in _GREY else "RGBA")
    if image.mode == "1":
        return image.convert("L")
    return image if image.mode in ("L", "RGB", "CMYK", "LAB") else image.convert("RGB")


def _read_profile(icc: bytes | None) -> tuple[ImageCms.ImageCmsProfile | None, str]:
    """The embedded profile and its colour space; None and '' where there is none or it is broken."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc or b""))
        return profile, profile.profile.xcolor_space
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None, ""


def _to_rgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """Mode L, RGB, CMYK or LAB to RGB in sRGB, through the embedded profile where it fits the picture."""
    profile, space = _read_profile(icc)
    if image.mode == "LAB" and profile is None:
        profile, space = _standard_profile("LAB"), "Lab "
    source = image.convert("RGB") if (space, image.mode) == ("RGB ", "L") else image
    if profile is None or _MODE_OF_SPACE.get(space) != source.mode:
        return image.convert("RGB")
    try:
        converted = ImageCms.profileToProfile(source, profile, _standard_profile("sRGB"), outputMode="RGB")
    except ImageCms.PyCMSError:  # a profile without usable tables
        converted = None
    return converted or image.convert("RGB")


def to_srgb(image: Image.Image, icc: bytes | None, background: Colour) -> Image.Image:
    """`image` as opaque 8-bit RGB in sRGB, same size.

    Args:
        image: of any mode.
        icc: its profile (`phq.photos.stated_colour.profile_of`); None for sRGB.
        background: where it is transparent.

    Transparent parts are laid over `background` by their encoded values, as browsers do. A broken profile
    counts as sRGB. CMYK without a profile becomes R = (1 − C)(1 − K).

    Raises:
        RejectError: unsupported_format, for floating-point and 32-bit samples.
    """
    image = _eight_bit(image)
    if image.mode not in ("LA", "RGBA"):
        return _to_rgb(image, icc)
    alpha = image.getchannel("A")
    opaque = _to_rgb(image.convert(image.mode.removesuffix("A")), icc)
    return Image.composite(opaque, Image.new("RGB", image.size, background), alpha)
