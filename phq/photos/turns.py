"""Which way is up, where container and metadata may both say it: applied once, and the container wins.

HEIF and AVIF turn a picture by the properties irot and imir (ISO/IEC 23008-12 §6.5.10, §6.5.12), TIFF by its tag
Orientation. Most writers repeat the turn in Exif or XMP, some reset it there, and some state it there alone, having
copied pixels and metadata of a JPEG.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from PIL import Image

from phq.photos import exif
from phq.photos.isobmff import read_statement

_ORIENTATION = 274
_XMP = re.compile(rb"tiff:Orientation(?:=[\"']|>)([1-8])")


@dataclass(frozen=True)
class Turn:
    """What is to be done to a decoded picture."""

    orientation: int = 1
    """EXIF orientation that the decoder has left."""
    remark: str = ""
    """The contradiction, if there is one."""


def read_turn(kind: str, data: bytes, image: Image.Image) -> Turn:
    """The turn of an opened file of format `kind` (a name of `phq.photos.formats`); never raises."""
    if kind == "TIFF":
        return _of_tiff(image)
    return _of_container(kind, data, image) if kind in ("HEIF", "AVIF") else Turn(exif.orientation(image))


def _remark(container: int, metadata: int) -> str:
    if metadata in (1, container):
        return ""
    return f"its metadata state orientation {metadata}, its container {container}, which counts"


def _in_xmp(image: Image.Image) -> int:
    xmp = image.info.get("xmp", b"")
    found = _XMP.search(xmp if isinstance(xmp, bytes) else str(xmp).encode())
    return int(found.group(1)) if found else 1


def _of_tiff(image: Image.Image) -> Turn:
    """Pillow turns a TIFF by its tag, or by XMP where the tag is missing."""
    tag = getattr(image, "tag_v2", {}).get(_ORIENTATION)
    return Turn(1, _remark(exif.valid_orientation(tag), _in_xmp(image)) if tag else "")


def _of_container(kind: str, data: bytes, image: Image.Image) -> Turn:
    container = read_statement(data)
    if container is None:  # damaged: what Pillow's decoder makes of it
        return Turn(exif.orientation(image) if kind == "AVIF" else 1)
    if kind == "HEIF":  # libheif has applied the properties; what was in Exif or XMP is reset and told
        metadata = exif.valid_orientation(image.info.get("original_orientation"))
    else:  # libavif has applied nothing, and Pillow writes the properties over what was in Exif
        metadata = exif.orientation_of(container.exif)
        metadata = _in_xmp(image) if metadata == 1 else metadata
    if not container.turns:
        return Turn(metadata)
    orientation = _orientation_of(container.turns)
    return Turn(1 if kind == "HEIF" else orientation, _remark(orientation, metadata))


def _orientation_of(turns: list[tuple[bytes, int]]) -> int:
    """EXIF orientation that makes the same of a picture as irot and imir one after the other, tried on six pixels."""
    pixels = Image.frombytes("L", (3, 2), bytes(range(6)))
    wanted = pixels
    for kind, value in turns:
        wanted = _applied(wanted, kind, value)
    return next(
        value
        for value in range(1, 9)
        if (made := exif.turn_upright(pixels, value)).size == wanted.size and made.tobytes() == wanted.tobytes()
    )


def _applied(image: Image.Image, kind: bytes, value: int) -> Image.Image:
    if kind == b"imir":
        return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT if value else Image.Transpose.FLIP_TOP_BOTTOM)
    return image.rotate(90 * value, expand=True)
