"""Photos that are not files of their own: members of an archive, rows of a table, frames of a video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from phq.errors import RejectError
from phq.photos.colour import Colour
from phq.photos.decode import Decoded, PhotoRejectError, decode_bytes
from phq.system.place import is_remote


class Entry(Protocol):
    """Where in a file a photo is, and how it is read from there. Small and picklable: it travels to the workers."""

    def decode(self, file: Path, max_pixels: int, background: Colour, max_bytes: int) -> Decoded:
        """Upright sRGB pixels and facts, as `phq.photos.decode.decode` gives them of a file.

        Raises:
            PhotoRejectError: with a reason of `phq.reasons`.
            FileNotFoundError: the file is no longer there.
        """

    def sha256(self, file: Path) -> str:
        """What `Decoded.sha256` will be, '' if it cannot be read.

        Raises:
            FileNotFoundError: the file is no longer there.
        """


@dataclass(frozen=True)
class Refused:
    """Stands for a file of which no photo can be read; its reason is known from listing it."""

    reason: str
    detail: str

    def decode(self, file: Path, max_pixels: int, background: Colour, max_bytes: int) -> Decoded:
        """Always the reject."""
        raise PhotoRejectError(self.reason, self.detail)

    def sha256(self, file: Path) -> str:
        """Unknown."""
        return ""


def decode_entry(data: bytes, max_pixels: int, background: Colour) -> Decoded:
    """Decode the bytes of a picture that lies inside another file; see `phq.photos.decode.decode_bytes`.

    Raises:
        PhotoRejectError: see there.
    """
    try:
        return decode_bytes(data, max_pixels, background)
    except PhotoRejectError as error:
        if data.startswith(b"PK\x03\x04") or data[257:262] == b"ustar":
            raise PhotoRejectError("unsupported_format", "an archive inside another; unpack it", error.sha256) from None
        if error.reason == "not_an_image" and data[4:8] == b"ftyp":
            raise PhotoRejectError("unsupported_format", "a video inside an archive; unpack it", error.sha256) from None
        raise


def as_photo_reject(error: RejectError) -> PhotoRejectError:
    """The same reject, of a photo of which nothing else is known."""
    return PhotoRejectError(error.reason, error.detail)


def version_of(file: Path) -> tuple[int, int] | None:
    """Tells an open file from what has replaced it: size and time of change; None of a URL, which costs a request."""
    if is_remote(file):
        return None
    status = file.stat()
    return status.st_size, status.st_mtime_ns
