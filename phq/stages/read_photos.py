"""The first stage: files become upright pixels with their facts, or rejects with their reason."""

from __future__ import annotations

from phq.people import Photo
from phq.photos.decode import Decoded, PhotoRejectError, decode
from phq.photos.exif import assumed_focal_px
from phq.system.resources import Resources


def _facts(decoded: Decoded) -> dict[str, object]:
    height, width = decoded.pixels.shape[:2]
    return {
        "source_sha256": decoded.sha256,
        "image_width": width,
        "image_height": height,
        "has_focal": decoded.focal_px is not None,
        "focal_px": decoded.focal_px or assumed_focal_px(width, height),
    }


def _facts_of_reject(error: PhotoRejectError) -> dict[str, object]:
    """The fields a photo got before it was refused; those not known are left out."""
    known = {"source_sha256": error.sha256, "image_width": error.width, "image_height": error.height}
    return {name: value for name, value in known.items() if value}


class ReadPhotos:
    """Fills pixels and fields of every photo, or rejects it with a reason of `phq.photos.decode.decode`."""

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
        photo.fields["source_path"] = photo.name
        try:
            decoded = decode(photo.path, self.max_pixels, self.background)
        except PhotoRejectError as error:
            photo.fields.update(_facts_of_reject(error))
            photo.reject(error.reason, error.detail)
        else:
            photo.fields.update(_facts(decoded))
            photo.pixels = decoded.pixels
