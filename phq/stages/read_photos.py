"""The first stage: files become upright pixels with their facts, or rejects with their reason."""

from __future__ import annotations

from phq.people.person import Photo
from phq.people.record import Source
from phq.photos.decode import Decoded, PhotoRejectError
from phq.photos.exif import assumed_focal_px
from phq.system.resources import Resources


def source_of(decoded: Decoded) -> Source:
    """The record's part about a decoded file."""
    height, width = decoded.pixels.shape[:2]
    focal_px = decoded.focal_px or assumed_focal_px(width, height)
    return Source(decoded.sha256, width, height, decoded.focal_px is not None, focal_px)


class ReadPhotos:
    """Sets pixels and source of every photo, or rejects it with a reason of `phq.photos.decode.decode`."""

    name = "read"
    wants = Resources(memory=500 << 20)
    """Four photos of 40 megapixels."""

    def __init__(self, max_pixels: int, background: tuple[int, int, int]) -> None:
        self.max_pixels = max_pixels
        self.background = background

    def setup(self) -> None:
        """Nothing to load."""

    def process(self, photos: list[Photo]) -> None:
        """Read every photo that is not rejected yet, in place."""
        for photo in photos:
            if photo.rejected is None:
                self._read(photo)

    def _read(self, photo: Photo) -> None:
        try:
            decoded = photo.decode(self.max_pixels, self.background)
        except PhotoRejectError as error:
            photo.source = Source(error.sha256, error.width, error.height)
            photo.reject(error.reason, error.detail)
        else:
            photo.source, photo.pixels, photo.remark = source_of(decoded), decoded.pixels, decoded.remark
