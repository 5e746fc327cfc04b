"""One good photograph written in the many odd ways in which photographs come."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from encoded_pictures import encoded, encoded_deep, has_heif
from PIL import ExifTags, Image, ImageCms, ImageOps, TiffImagePlugin, features


def _profile_with_primaries(columns: list[tuple[float, float, float]]) -> bytes:
    """The ICC profile of sRGB with other primaries, given as XYZ under D50."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for i in range(struct.unpack_from(">I", data, 128)[0]):
        name, offset, _ = struct.unpack_from(">4sII", data, 132 + 12 * i)
        if name in (b"rXYZ", b"gXYZ", b"bXYZ"):
            xyz = columns[b"rgb".index(name[0])]
            struct.pack_into(">3i", data, offset + 8, *(round(v * 65536) for v in xyz))
    return bytes(data)


DISPLAY_P3 = [(0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)]
ADOBE_RGB = [(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)]


def in_profile(picture: Image.Image, primaries: list[tuple[float, float, float]]) -> tuple[Image.Image, bytes]:
    """`picture` converted to other primaries, and the profile that says so."""
    icc = _profile_with_primaries(primaries)
    srgb = ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(picture, srgb, ImageCms.ImageCmsProfile(io.BytesIO(icc)))
    assert converted is not None
    return converted, icc


_UNTURN: dict[int, Callable[[Image.Image], Image.Image]] = {
    1: lambda im: im,
    2: ImageOps.mirror,
    3: lambda im: im.transpose(Image.Transpose.ROTATE_180),
    4: ImageOps.flip,
    5: lambda im: im.transpose(Image.Transpose.TRANSPOSE),
    6: lambda im: im.transpose(Image.Transpose.ROTATE_90),
    7: lambda im: im.transpose(Image.Transpose.TRANSVERSE),
    8: lambda im: im.transpose(Image.Transpose.ROTATE_270),
}
"""From the upright picture to how a camera stores it together with each EXIF orientation."""


def turned(picture: Image.Image, orientation: int) -> tuple[Image.Image, bytes]:
    """`picture` as a camera held otherwise stores it, and the EXIF that says so."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return _UNTURN[orientation](picture), exif.tobytes()


def _turned_files(picture: Image.Image) -> dict[str, bytes]:
    kinds = {"tif": "TIFF", "png": "PNG", "webp": "WEBP"}
    if features.check("avif"):
        kinds["avif"] = "AVIF"
    if has_heif():
        kinds["heic"] = "HEIF"
    files = {}
    for orientation in range(1, 9):
        stored, exif = turned(picture, orientation)
        files[f"orientation-{orientation}.jpg"] = encoded(stored, "JPEG", quality=95, exif=exif)
    for suffix, kind in kinds.items():
        stored, exif = turned(picture, 6)
        files[f"orientation-6.{suffix}"] = encoded(stored, kind, exif=exif)
    return files


def _deep_files(picture: Image.Image) -> dict[str, bytes]:
    deep = np.asarray(picture).astype(np.uint16)[..., ::-1] * 257
    grey = np.asarray(picture.convert("L")).astype(np.uint16) * 257
    return {
        "rgb-16.png": encoded_deep(".png", deep),
        "rgb-16.tif": encoded_deep(".tiff", deep),
        "grey-16.png": encoded_deep(".png", grey),
        "grey-16.tif": encoded_deep(".tiff", grey),
        "grey-16-white-is-zero.tif": encoded(Image.fromarray(65535 - grey), "TIFF", tiffinfo={262: 0}),
    }


def _colour_files(picture: Image.Image) -> dict[str, bytes]:
    srgb, cielab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    lab = ImageCms.profileToProfile(picture, srgb, cielab, outputMode="LAB")
    assert lab is not None
    cmyk = picture.convert("CMYK")
    p3, p3_icc = in_profile(picture, DISPLAY_P3)
    adobe, adobe_icc = in_profile(picture, ADOBE_RGB)
    return {
        "cmyk.jpg": encoded(cmyk, "JPEG", quality=95),
        "cmyk.tif": encoded(cmyk, "TIFF"),
        "lab.tif": encoded(lab, "TIFF"),
        "grey.jpg": encoded(picture.convert("L"), "JPEG", quality=95),
        "palette.png": encoded(picture.quantize(256), "PNG"),
        "display-p3.jpg": encoded(p3, "JPEG", quality=95, icc_profile=p3_icc),
        "adobe-rgb.png": encoded(adobe, "PNG", icc_profile=adobe_icc),
        "broken-profile.jpg": encoded(picture, "JPEG", quality=95, icc_profile=adobe_icc[:200]),
        "profile-of-another-space.jpg": encoded(cmyk, "JPEG", quality=95, icc_profile=adobe_icc),
    }


def _container_files(picture: Image.Image) -> dict[str, bytes]:
    jpeg = encoded(picture, "JPEG", quality=95)
    pair = {"save_all": True, "append_images": [ImageOps.flip(picture)]}
    files = {
        "photo.webp": encoded(picture, "WEBP", quality=95),
        "photo.bmp": encoded(picture, "BMP"),
        "photo-big.tif": encoded(picture, "TIFF", big_tiff=True),
        "photo-lzw.tif": encoded(picture, "TIFF", compression="tiff_lzw"),
        "photo-jpeg.tif": encoded(picture, "TIFF", compression="jpeg", quality=95),
        "one-frame.gif": encoded(picture, "GIF"),
        "progressive.jpg": encoded(picture, "JPEG", quality=95, progressive=True),
        "two-pictures.jpg": encoded(picture, "MPO", quality=95, **pair),
        "end-marker-missing.jpg": jpeg[:-2],
        "panorama-without-end.jpg": jpeg[:-2] + b"SEFH" + bytes(40) + b"written by its maker" * 20,
        "fill-bytes.jpg": jpeg[:-2] + b"\xff\xff\xff\xd9",
        "more-behind-the-end.jpg": jpeg + b"MotionPhoto_Data" + bytes(3000),
        "damaged-exif.jpg": encoded(picture, "JPEG", quality=95, exif=b"Exif\0\0II*\0\xff\xff\xff\x7f"),
        "with-thumbnail.tif": _tiff_with_thumbnail(picture),
        "really-a-jpeg.png": jpeg,
        "without-suffix": encoded(picture, "PNG"),
        "with spaces in it.JPG": jpeg,
        "naïve ünicode 照片 📷.jpg": jpeg,
    }
    if os.name == "posix":
        files["new\nline.jpg"] = jpeg
    if features.check("avif"):
        files["photo.avif"] = encoded(picture, "AVIF", quality=90)
    if has_heif():
        files["photo.heic"] = encoded(picture, "HEIF")
    return files


def _tiff_with_thumbnail(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(out) as writer:
        picture.save(writer, "TIFF")
        writer.newFrame()
        picture.resize((40, 40)).save(writer, "TIFF", tiffinfo={254: 1})
        writer.newFrame()
    return out.getvalue()


def _alpha_file(picture: Image.Image) -> bytes:
    """Opaque but for one corner."""
    alpha = Image.new("L", picture.size, 255)
    alpha.paste(0, (0, 0, 8, 8))
    with_alpha = picture.copy()
    with_alpha.putalpha(alpha)
    return encoded(with_alpha, "PNG")


def make_odd_but_good_files(folder: Path, photo: Path) -> list[str]:
    """Write one good photograph in some fifty ways that must all be read as nearly the same picture.

    Files whose names start with ``grey`` hold its luma only. Returns the names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with Image.open(photo) as opened:
        picture = opened.convert("RGB")
    files = {"alpha.png": _alpha_file(picture)}
    files |= _turned_files(picture) | _deep_files(picture) | _colour_files(picture) | _container_files(picture)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return list(files)
