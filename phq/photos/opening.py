"""The decoder of each format, opened as far as the header, and what a header alone can refuse."""

from __future__ import annotations

import io

from PIL import Image, TiffImagePlugin, UnidentifiedImageError, features

from phq.errors import MissingExtraError, RejectError
from phq.photos import tiff

_REDUCED_OR_MASK = 1 | 4
"""Bits of NewSubfileType: a thumbnail, a transparency mask (TIFF 6.0 §8)."""

_OWN_DECODER = {"AVIF": "avif", "WEBP": "webp"}
"""Formats Pillow may have been built without, and what it calls the feature."""


def _open_heif(data: bytes) -> Image.Image:
    try:
        from pillow_heif import HeifImageFile  # optional: the extra 'heif'
    except ImportError:
        missing = MissingExtraError("pillow-heif", "heif", "reading HEIC")
        raise RejectError("decoder_missing", str(missing)) from None
    image: Image.Image = HeifImageFile(io.BytesIO(data))
    return image


def _open_tiff(data: bytes) -> TiffImagePlugin.TiffImageFile:
    if data[8:10] == b"CR":
        raise RejectError("unsupported_format", "camera raw (CR2)")
    try:
        image = Image.open(io.BytesIO(data), formats=["TIFF"])
    except (UnidentifiedImageError, KeyError) as error:
        if tiff.is_sane(data):
            raise RejectError("unsupported_format", "a kind of TIFF that Pillow does not read") from error
        raise
    assert isinstance(image, TiffImagePlugin.TiffImageFile)
    if tiff.DNG_VERSION in image.tag_v2 or image.tag_v2.get(tiff.NEW_SUBFILE_TYPE, 0) & 1:
        raise RejectError("unsupported_format", "camera raw, or a TIFF that begins with a thumbnail")
    return image


def _refuse_pages(image: TiffImagePlugin.TiffImageFile) -> None:
    """Raises RejectError multi_page at the second page that is not a thumbnail or mask of the first."""
    page = 1
    while True:
        try:
            image.seek(page)
        except EOFError:
            image.seek(0)
            return
        if not image.tag_v2.get(tiff.NEW_SUBFILE_TYPE, 0) & _REDUCED_OR_MASK:
            raise RejectError("multi_page", "a TIFF of several pages; save each as a file of its own")
        page += 1


def open_photo(kind: str, data: bytes) -> Image.Image:
    """Open `data`, of format `kind` (a name of `phq.photos.formats`), without decoding it.

    Raises:
        RejectError: decoder_missing, unsupported_format.
        Exception: whatever the decoder raises on a bad header.
    """
    if kind == "HEIF":
        return _open_heif(data)
    if kind == "TIFF":
        return _open_tiff(data)
    if kind in _OWN_DECODER and not features.check(_OWN_DECODER[kind]):
        raise RejectError("decoder_missing", f"this Pillow reads no {kind}: pip install --upgrade pillow")
    return Image.open(io.BytesIO(data), formats=[kind])


def refuse_sequences(kind: str, image: Image.Image) -> None:
    """Refuse what is not one photo; the further pictures of an MPO or a HEIC belong to the first.

    Raises:
        RejectError: animated or multi_page.
    """
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        _refuse_pages(image)
    elif kind in ("GIF", "PNG", "WEBP", "AVIF") and getattr(image, "is_animated", False):
        raise RejectError("animated", f"a {kind} of several frames; save the frame you want as a picture")
