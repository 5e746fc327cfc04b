"""One file to upright sRGB pixels, or a reject with its reason: no other exception, never a part of a picture."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import re
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from phq.errors import RejectError
from phq.photos import exif, formats, jpeg, whole
from phq.photos.colour import Colour, to_srgb
from phq.photos.jpeg_layout import Layout, read_layout
from phq.photos.opening import open_photo, refuse_sequences
from phq.photos.stated_colour import profile_of
from phq.photos.turns import Turn, read_turn
from phq.system.arrays import Image as Pixels
from phq.system.place import file_system, is_remote
from phq.system.retrying import check_length, retried

MAX_PIXELS = 120_000_000
MAX_BYTES = 1 << 30
BACKGROUND: Colour = (128, 128, 128)

MIN_SIDE = 32
"""Pixels; no person can be annotated on less."""

MAX_ASPECT = 50
"""Long over short side; beyond it a picture is a strip or an attack."""


@dataclass(frozen=True)
class Decoded:
    """A photo and the facts stated in its file."""

    pixels: Pixels
    """H × W × 3 uint8 RGB, sRGB, upright, contiguous."""
    sha256: str
    """Of the file's bytes, 64 hex digits."""
    focal_px: float | None
    """Focal length from EXIF in photo pixels; see `phq.photos.exif.focal_from_tags`."""
    format: str
    """JPEG, PNG, WEBP, BMP, TIFF, GIF, HEIF or AVIF."""
    remark: str = ""
    """What a person should know who asks about this photo; see `phq.photos.turns`."""


class PhotoRejectError(RejectError):
    """A photo that cannot be used, with what is known of it: '' and 0 where the file did not get so far."""

    def __init__(self, reason: str, detail: str, sha256: str = "", width: int = 0, height: int = 0) -> None:
        super().__init__(reason, detail)
        self.sha256 = sha256
        self.width = width
        self.height = height


@contextmanager
def _strict_and_quiet() -> Iterator[None]:
    """Pillow without its own pixel limit (phq has one), without tolerance for truncated files, without log messages."""
    logger = logging.getLogger("PIL")
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, logger.level
    Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = None, False
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = before[:2]
        logger.setLevel(before[2])


def _missing(path: Path) -> RejectError:
    if path.is_symlink():
        return RejectError("missing_file", "a link to a file that does not exist")
    return RejectError("missing_file", "no such file")


def read_file(path: Path, max_bytes: int = MAX_BYTES) -> bytes:
    """All bytes of a regular file, or of an object at a URL; a pipe or a device is never opened.

    Raises:
        RejectError: missing_file, unreadable, not_an_image (folder, pipe, socket, device) or file_too_large.
    """
    if is_remote(path):
        return _read_object(path, max_bytes)
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode) and os.access(path, os.R_OK | os.X_OK):
            raise RejectError("not_an_image", "a folder")
        if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
            raise RejectError("not_an_image", "a pipe, socket or device")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1) if status.st_size <= max_bytes else None
    except (FileNotFoundError, NotADirectoryError):
        raise _missing(path) from None
    except OSError as error:
        raise RejectError("unreadable", error.strerror or "the file cannot be read") from error
    except ValueError:  # a path with a zero byte
        raise RejectError("missing_file", "no file can have this name") from None
    if data is None or len(data) > max_bytes:
        raise RejectError("file_too_large", f"the limit is {max_bytes} bytes")
    return data


def _read_object(path: Path, max_bytes: int) -> bytes:
    fs, name = file_system(path)
    try:
        data = retried(str(path), lambda: _fetched(fs, name, max_bytes + 1))
    except FileNotFoundError:
        raise RejectError("missing_file", "no such object") from None
    except Exception as error:  # the file systems of fsspec raise errors of their own, which share no base
        raise RejectError("unreadable", str(error)) from error
    if len(data) > max_bytes:
        raise RejectError("file_too_large", f"the limit is {max_bytes} bytes")
    return data


def _fetched(fs: Any, name: str, end: int) -> bytes:
    """The first bytes of an object.

    Raises:
        ShortReadError: fewer than the server says there are. Only what would be called damaged is asked about.
    """
    data: bytes = fs.cat_file(name, end=end)
    if len(data) < end and _looks_cut(data):
        check_length(fs, name, 0, end, len(data))
    return data


def _looks_cut(data: bytes) -> bool:
    try:
        return whole.ends_early(formats.sniff(data), data)
    except (RejectError, IndexError, ValueError):
        return True


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse a picture that is too large to decode, or too small or long for a person.

    Raises:
        RejectError: too_many_pixels or too_small.
    """
    if width * height > max_pixels:
        raise RejectError(
            "too_many_pixels",
            f"{width} × {height} = {width * height} pixels, the limit is {max_pixels}; "
            f"raise it with --set read.max_pixels={width * height}",
        )
    if min(width, height) < MIN_SIDE:
        raise RejectError("too_small", f"{width} × {height}, a side is under {MIN_SIDE} pixels")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise RejectError("too_small", f"{width} × {height}, a strip of more than {MAX_ASPECT} : 1")


def _readable(data: bytes, layout: Layout | None) -> bytes:
    """`data` as the decoder wants it.

    Raises:
        RejectError: unsupported_format.
    """
    if layout is None:
        return data
    jpeg.refuse_kinds(layout)
    return jpeg.mended(data, layout)


def _load(kind: str, data: bytes, layout: Layout | None, image: Image.Image) -> None:
    """Decode in place.

    Args:
        kind: name of the format.
        data: the file.
        layout: of a JPEG.
        image: opened.

    Raises:
        RejectError: truncated.
        Exception: whatever the decoder raises on bad data.
    """
    if kind == "PNG":  # decoding ignores the checksums of the pixel data, verifying does not decode
        with Image.open(io.BytesIO(data), formats=["PNG"]) as unread:
            unread.verify()
    image.load()
    if whole.has_empty_tail(kind, data) or (layout is not None and jpeg.is_cut(data, layout, image)):
        raise RejectError("truncated", "the end of the picture is missing")


def _explain(error: Exception, kind: str) -> str:
    """The decoder's message without memory addresses, so that the same file gives the same message."""
    lines = str(error).strip().splitlines()
    if isinstance(error, UnidentifiedImageError) or not lines:
        return f"the {kind} decoder does not understand its header"
    return re.sub(r" at 0x[0-9a-fA-F]+", "", lines[0])[:200]


def _as_reject(error: Exception, kind: str, data: bytes) -> RejectError:
    if isinstance(error, RejectError):
        return error
    if isinstance(error, MemoryError):
        return RejectError("too_many_pixels", "not enough memory to decode it; lower --set read.max_pixels=…")
    detail = _explain(error, kind)
    cut = "truncated" in detail.lower() or whole.ends_early(kind, data)
    return RejectError("truncated" if cut else "corrupt", detail)


def decode_bytes(data: bytes, max_pixels: int = MAX_PIXELS, background: Colour = BACKGROUND) -> Decoded:
    """Decode the bytes of a file; see `decode`.

    Raises:
        PhotoRejectError: every reason of `decode` but those of the file system.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    kind, width, height = "", 0, 0
    try:
        with _strict_and_quiet():
            kind = formats.sniff(data)
            layout = read_layout(data) if kind == "JPEG" else None
            image = open_photo(kind, _readable(data, layout))
            late = kind == "PNG"  # Pillow looks for its Exif by decoding it, silent about damage
            turn = Turn() if late else read_turn(kind, data, image)
            width, height = exif.upright_size(image, turn.orientation)
            check_size(width, height, max_pixels)
            refuse_sequences(kind, image)
            icc = None if late else profile_of(kind, data, image)
            _load(kind, data, layout, image)
            if late:
                turn, icc = read_turn(kind, data, image), profile_of(kind, data, image)
                width, height = exif.upright_size(image, turn.orientation)
            focal = exif.focal_px(image)
            upright = exif.turn_upright(to_srgb(image, icc, background), turn.orientation)
            pixels = np.ascontiguousarray(np.asarray(upright))
    except Exception as error:  # decoders raise anything, and one bad photo must not end a build
        reject = _as_reject(error, kind, data)
        raise PhotoRejectError(reject.reason, reject.detail, sha256, width, height) from error
    return Decoded(pixels, sha256, focal, kind, turn.remark)


def decode(
    path: Path, max_pixels: int = MAX_PIXELS, background: Colour = BACKGROUND, max_bytes: int = MAX_BYTES
) -> Decoded:
    """Read a file once and decode it: orientation applied, embedded profile to sRGB, alpha on `background`.

    The format follows from the bytes, whatever the suffix: JPEG, PNG, WebP, BMP, TIFF, GIF, HEIC, AVIF. Of a
    file that holds several pictures taken as one photo (MPO, HEIC) the primary one is used; animations and
    documents of several pages are rejects.

    Raises:
        PhotoRejectError: missing_file, unreadable, file_too_large, is_empty, not_an_image,
            unsupported_format, decoder_missing, truncated, corrupt, too_many_pixels, too_small, animated or
            multi_page.
    """
    try:
        data = read_file(path, max_bytes)
    except RejectError as error:
        raise PhotoRejectError(error.reason, error.detail) from error
    return decode_bytes(data, max_pixels, background)
