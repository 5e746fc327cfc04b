"""All scores of the stored pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phq.people.record import CropFrame, ImageScores
from phq.quality.appearance import appearance
from phq.quality.blocks import blockiness
from phq.quality.blur import laplacian_variance, sharpness
from phq.quality.exposure import exposure
from phq.quality.hashes import phash, phash_mirror
from phq.quality.naturalness import naturalness
from phq.quality.noise import noise_sigma
from phq.system.arrays import Image


def image_scores(crop: Image, mask: NDArray[np.uint8], frame: CropFrame, photo_size: tuple[int, int]) -> ImageScores:
    """Scores of a crop.

    Args:
        crop: S × S × 3 RGB.
        mask: S × S, 0 or 255.
        frame: where the crop lies in the photo.
        photo_size: width and height of the upright photo, pixels.
    """
    luminance, under, over = exposure(crop, mask)
    scale = frame.source_px_per_px
    return ImageScores(
        blur=sharpness(crop, mask, scale),
        laplacian_var=laplacian_variance(crop),
        luminance=luminance,
        underexposed=under,
        overexposed=over,
        noise=noise_sigma(crop, frame.photo_in_crop, scale),
        niqe=naturalness(crop, mask, scale),
        blockiness=blockiness(crop, frame.crop_to_source, photo_size),
        phash=phash(crop),
        phash_mirror=phash_mirror(crop),
        appearance=appearance(crop, mask, frame.photo_in_crop),
    )
