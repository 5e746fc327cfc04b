"""The colour space that a file states, whether by a profile or by numbers, in the order its format prescribes.

| format | first to last |
|---|---|
| PNG | cICP, iCCP, sRGB, gAMA with cHRM (PNG 3rd edition §4.3 table 1) |
| HEIF, AVIF | colr with a profile, colr nclx (ISO/IEC 23008-12 §6.5.5.1) |
| TIFF | profile, TransferFunction, WhitePoint and PrimaryChromaticities (TIFF 6.0 §20) |
| BMP | profile, endpoints and gammas of the header (BITMAPV5HEADER) |
| JPEG, WebP, GIF | profile |

Exif speaks where the format itself is silent, and sRGB is meant where both are.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from phq.errors import RejectError
from phq.photos import exif
from phq.photos.colour_space import ADOBE_RGB, BT709, D65, SRGB, ColourSpace, Primaries, from_codes, power, tabled
from phq.photos.isobmff import read_statement

Stated = bytes | ColourSpace
"""A profile, or numbers."""

_WHITE_POINT, _PRIMARIES, _TRANSFER_FUNCTION = 318, 319, 301
_COLOUR_SPACE, _GAMMA = 0xA001, 0xA500
_SRGB, _ADOBE_RGB, _UNCALIBRATED = 1, 2, 0xFFFF
"""Values of Exif's ColorSpace; 2 is not in the standard but in cameras."""


def profile_of(kind: str, data: bytes, image: Image.Image) -> bytes | None:
    """ICC profile that an opened file states, directly or by numbers; None where that is sRGB, or nothing usable.

    Args:
        kind: format, a name of `phq.photos.formats`.
        data: the file.
        image: opened from it, not converted.

    Raises:
        RejectError: unsupported_colour.
    """
    for stated in _STATEMENTS.get(kind, _by_profile)(data, image):
        if isinstance(stated, bytes):
            if _is_usable(stated):
                return stated
            continue
        try:
            return None if stated.is_srgb() else stated.profile()
        except ValueError:  # primaries that span no space
            continue
    return None


def _is_usable(icc: bytes) -> bool:
    """Whether the colour engine understands a profile.

    Raises:
        RejectError: unsupported_colour, for one of HDR, whose tag cicp says so (ICC.1:2022 §9.2.17).
    """
    try:
        ImageCms.ImageCmsProfile(io.BytesIO(icc))
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return False
    n = min(int.from_bytes(icc[128:132], "big"), 100)
    for name, offset in (struct.unpack_from(">4sI", icc, 132 + 12 * i) for i in range(n)):
        if name == b"cicp" and icc[offset : offset + 4] == name:
            from_codes(*icc[offset + 8 : offset + 10])
    return True


def _by_profile(_: bytes, image: Image.Image) -> Iterator[Stated]:
    if icc := image.info.get("icc_profile"):
        yield icc
    yield from _by_exif(image)


def _png_chunks(data: bytes) -> dict[bytes, bytes]:
    """Chunks before the pixels, the first of each type."""
    found: dict[bytes, bytes] = {}
    at = 8
    while at + 12 <= len(data) and (kind := data[at + 4 : at + 8]) != b"IDAT":
        size = int.from_bytes(data[at : at + 4], "big")
        found.setdefault(kind, data[at + 8 : at + 8 + size])
        at += 12 + size
    return found


def _by_png(data: bytes, image: Image.Image) -> Iterator[Stated]:
    chunks = _png_chunks(data)
    if len(codes := chunks.get(b"cICP", b"")) == 4:
        primaries, transfer, matrix, full = codes
        if matrix:
            raise RejectError("unsupported_colour", "a cICP chunk that states YCbCr, which no PNG holds")
        if space := from_codes(primaries, transfer, is_narrow=not full):
            yield space
    if icc := image.info.get("icc_profile"):
        yield icc
    if b"sRGB" in chunks:
        yield ColourSpace()
    yield from _by_gamma(chunks.get(b"gAMA", b""), chunks.get(b"cHRM", b""))
    yield from _by_exif(image)


def _by_gamma(gama: bytes, chrm: bytes) -> Iterator[ColourSpace]:
    gamma = 1e5 / int.from_bytes(gama, "big") if len(gama) == 4 and any(gama) else 0.0
    places = struct.unpack(">8I", chrm) if len(chrm) == 32 else ()
    if gamma or places:
        yield _measured([v / 1e5 for v in places], gamma)


def _measured(white_and_primaries: Sequence[float], gamma: float) -> ColourSpace:
    """The space of eight chromaticities (white, red, green, blue; none: those of sRGB) and one exponent (0: none).

    An exponent of about 2.2 with the primaries of sRGB stands for its curve, which is what writers mean by it
    (PNG 3rd edition §11.3.2.4).
    """
    primaries = BT709
    if len(white_and_primaries) == 8:
        white, red, green, blue = ((white_and_primaries[i], white_and_primaries[i + 1]) for i in range(0, 8, 2))
        primaries = Primaries(red, green, blue, white)
    plain = not 0.1 < gamma < 10 or (abs(gamma - 2.2) < 0.01 and ColourSpace(primaries).is_srgb())
    curve = SRGB if plain else power(gamma)
    return ColourSpace(primaries, (curve, curve, curve))


def _by_container(data: bytes, image: Image.Image) -> Iterator[Stated]:
    if icc := image.info.get("icc_profile"):
        yield icc
    container = read_statement(data)
    if container and container.nclx and (space := from_codes(*container.nclx)):
        yield space
    yield from _by_exif(image)


def _by_tiff(_: bytes, image: Image.Image) -> Iterator[Stated]:
    if icc := image.info.get("icc_profile"):
        yield icc
    yield from _by_tags(getattr(image, "tag_v2", {}), 0.0)
    yield from _by_exif(image)


def _numbers(value: Any) -> list[float]:
    """Values of a tag; none where one is no number."""
    try:
        return [float(v) for v in (value if isinstance(value, Iterable) else (value,))]
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return []


def _by_tags(tags: Mapping[int, Any], gamma: float) -> Iterator[ColourSpace]:
    """The tags of TIFF 6.0 §20, which Exif has inherited, and Exif's Gamma."""
    white, primaries = _numbers(tags.get(_WHITE_POINT, ())), _numbers(tags.get(_PRIMARIES, ()))
    table = tabled(tuple(int(v) for v in _numbers(tags.get(_TRANSFER_FUNCTION, ())) if math.isfinite(v)))
    if len(primaries) != 6:
        primaries, white = [], []
    elif len(white) != 2:
        white = list(D65)
    if primaries or gamma or table:
        space = _measured([*white, *primaries], gamma)
        yield replace(space, curves=table) if table else space


def _by_exif(image: Image.Image) -> Iterator[ColourSpace]:
    """ColorSpace and InteroperabilityIndex (Exif 2.32 §4.6.5, DCF 2.0 §3.3), then primaries and Gamma."""
    tags, interoperability = exif.directory(image, exif.EXIF), exif.directory(image, exif.INTEROPERABILITY)
    stated = tags.get(_COLOUR_SPACE, _UNCALIBRATED)
    if stated == _SRGB:
        yield ColourSpace()
    elif stated == _ADOBE_RGB or (stated == _UNCALIBRATED and str(interoperability.get(1, ""))[:3] == "R03"):
        yield ColourSpace(ADOBE_RGB, (power(563 / 256),) * 3)
    else:
        gamma = _numbers(tags.get(_GAMMA, ()))
        yield from _by_tags(exif.directory(image), gamma[0] if gamma else 0.0)


def _by_bmp(data: bytes, image: Image.Image) -> Iterator[Stated]:
    """Of a BITMAPV4HEADER or BITMAPV5HEADER."""
    size = int.from_bytes(data[14:18], "little")
    kind = data[70:74] if size >= 108 else b""
    if kind == b"KNIL":
        raise RejectError("unsupported_colour", "a BMP whose colour profile is another file")
    if kind == b"DEBM" and size >= 124:
        start, length = struct.unpack_from("<2I", data, 126)
        yield data[14 + start : 14 + start + length]
    if kind == bytes(4) and len(data) >= 122:
        yield from _by_endpoints(struct.unpack_from("<9i3I", data, 74))


def _by_endpoints(numbers: tuple[int, ...]) -> Iterator[ColourSpace]:
    """XYZ of the primaries as FXPT2DOT30, gammas as 16.16."""
    xyz = np.array(numbers[:9], float).reshape(3, 3) / (1 << 30)
    sums = np.vstack([xyz.sum(0), xyz])
    if (sums.sum(1) > 0).all():
        curves = [power(g / 65536) if 6554 < g < 655360 else SRGB for g in numbers[9:]]
        places = sums[:, :2] / sums.sum(1, keepdims=True)
        space = _measured([float(v) for v in places.ravel()], 0.0)
        yield replace(space, curves=(curves[0], curves[1], curves[2]))


_STATEMENTS: dict[str, Callable[[bytes, Image.Image], Iterator[Stated]]] = {
    "PNG": _by_png,
    "TIFF": _by_tiff,
    "BMP": _by_bmp,
    "HEIF": _by_container,
    "AVIF": _by_container,
}
