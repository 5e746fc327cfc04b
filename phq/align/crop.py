"""The headshot: which square of the photo it is, and one resampling of it from the original pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image as Pil

from phq.align.padding import padding_fraction, soften_padding
from phq.camera.convention import VISIBLE_HEIGHT, camera_from_torso, project
from phq.people.person import TorsoFit
from phq.people.record import CropFrame
from phq.photos.region import Region
from phq.pose import template
from phq.system.arrays import Floats, Image


@dataclass(frozen=True)
class CropBox:
    """A square of the photo, never rotated: left and upper edge and side in photo pixels (may leave the photo)."""

    x0: float
    y0: float
    side: float

    def to_source(self, size: int) -> Floats:
        """2×3 affine from pixels of the size × size crop to photo pixels."""
        scale = self.side / size
        return np.array([[scale, 0, self.x0], [0, scale, self.y0]])

    def photo_part(self, width: int, height: int, size: int) -> Floats:
        """x0, y0, x1, y1 in crop pixels of what lies inside a width × height photo."""
        corners = (np.array([0, 0, width, height]) - [self.x0, self.y0] * 2) * (size / self.side)
        return np.asarray(np.clip(corners, 0, size))


def crop_box(fit: TorsoFit, cam2world: Floats) -> CropBox:
    """Square of the photo that the normalised camera (4×4) sees.

    Its side spans `VISIBLE_HEIGHT` template metres, so the fitted head has the template's size; the neck lands where
    the world origin projects. The head's size replaces 360°PHQ's DensePose measurement in this.
    """
    side = fit.px_per_metre * VISIBLE_HEIGHT
    x0, y0 = fit.neck_px - side * project(template.points(("neck",))[0], cam2world)
    return CropBox(float(x0), float(y0), float(side))


def start_region(start: TorsoFit) -> Region:
    """The square that the closed-form fit alone would cut."""
    box = crop_box(start, camera_from_torso(start.torso_to_cam))
    return Region(box.x0 + box.side / 2, box.y0 + box.side / 2, box.side)


def crop_frame(box: CropBox, fit: TorsoFit, photo_size: tuple[int, int], size: int) -> CropFrame:
    """Where the size × size crop lies in a photo of `photo_size` (width, height)."""
    part = box.photo_part(*photo_size, size)
    return CropFrame(
        image_size=size,
        crop_to_source=box.to_source(size),
        crop_side_px=box.side,
        photo_in_crop=part,
        source_px_per_px=box.side / size,
        head_px=template.head_height(fit.px_per_metre),
        padding_fraction=padding_fraction(part, size),
    )


def cut(pixels: Image, box: CropBox, size: int) -> Image:
    """size × size × 3 crop with Lanczos resampling (antialiased when shrinking), mirrored and softened padding."""
    height, width = pixels.shape[:2]
    reach = int(np.ceil(4 * max(box.side / size, 1)))  # Lanczos looks three stored pixels round
    low = np.floor([box.x0, box.y0]).astype(int) - reach
    high = np.ceil([box.x0 + box.side, box.y0 + box.side]).astype(int) + reach
    inner_low, inner_high = np.clip(low, 0, [width - 1, height - 1]), np.clip(high, 1, [width, height])
    part = pixels[inner_low[1] : inner_high[1], inner_low[0] : inner_high[0]]
    left, top = inner_low - low
    right, bottom = high - inner_high
    if min(left, top, right, bottom) < 0:
        raise ValueError("the crop lies wholly outside the photo")
    framed = cv2.copyMakeBorder(part, int(top), int(bottom), int(left), int(right), cv2.BORDER_REFLECT)
    x0, y0 = box.x0 - low[0], box.y0 - low[1]
    resized = Pil.fromarray(framed).resize(
        (size, size), Pil.Resampling.LANCZOS, box=(x0, y0, x0 + box.side, y0 + box.side)
    )
    return soften_padding(np.asarray(resized), box.photo_part(width, height, size))
