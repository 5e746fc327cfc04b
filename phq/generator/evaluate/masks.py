"""Does the mask that a generator renders fit the picture beside it?"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F  # noqa: N812

from phq.align.soft_mask import refine, soft_mask
from phq.dataset.loader import Loader
from phq.dataset.reader import Dataset
from phq.detect.blazepose import BlazePose
from phq.generator.evaluate.fakes import People, pictures, to_images
from phq.generator.evaluate.subject import Subject
from phq.photos.region import Region
from phq.system.arrays import Bools, Image

MOST = 64
"""Pictures that masks are compared on: the network takes a tenth of a second for each."""
BODY_Y, BODY_SIDE = 0.85, 2.2
"""Middle and side of the square that the network is shown first, sides of the picture: it knows people with a trunk."""


class Segmenter:
    """The person of a headshot by the network and refinement of `phq build` (`phq.align`), without a detector.

    The first run sees the region where a headshot's whole body would be, the second and third the region that it found
    and its mirror image.
    """

    def __init__(self) -> None:
        self.net = BlazePose()

    def __call__(self, images: Image) -> Bools:
        """(B, R, R) masks of pictures (B, R, R, 3), RGB."""
        return np.stack([self._one(image) for image in images])

    def _one(self, image: Image) -> Bools:
        side = image.shape[0]
        (first,) = self.net.run([(image, Region(side / 2, BODY_Y * side, BODY_SIDE * side), False)])
        again = [(image, first.next_region(), mirrored) for mirrored in (False, True)]
        soft = soft_mask([first, *self.net.run(again)], np.eye(2, 3), side)
        return np.asarray(refine(soft, image) > 0.5)


def iou(a: Bools, b: Bools) -> NDArray[np.float64]:
    """(B,) intersection over union of masks (B, R, R); 1 where both are empty."""
    both, either = (a & b).sum(axis=(1, 2)), (a | b).sum(axis=(1, 2))
    return np.where(either > 0, both / np.maximum(either, 1), 1.0)


def mask_agreement(subject: Subject, cast: People, real: Dataset, batch: int) -> dict[str, Any]:
    """Mean IoU of rendered masks, and of a dataset's, with what a segmenter finds in the pictures they belong to.

    The segmenter is not the truth: what it makes of real pictures is the mark to compare with.

    Args:
        cast: people to render.
        real: as many pictures of the dataset, or fewer.
    """
    segment = Segmenter()
    generated = [_of_fakes(segment, rendering) for rendering in pictures(subject, cast, batch)]
    side, stored = subject.g.config.resolution, []
    for items in Loader(real, batch, size=side, rank=0, world_size=1):
        images = items["image"].permute(0, 2, 3, 1).contiguous().numpy()
        stored.append(iou(items["mask"].numpy() > 127, segment(images)))
    return {
        "images": len(cast.z),
        "iou_generated": float(np.concatenate(generated).mean()),
        "iou_dataset": float(np.concatenate(stored).mean()),
    }


def _of_fakes(segment: Segmenter, rendering: Any) -> NDArray[np.float64]:
    image = rendering["image"]
    mask: torch.Tensor = F.interpolate(rendering["mask"], image.shape[-1], mode="bilinear")
    return iou(mask[:, 0].cpu().numpy() > 0.5, segment(to_images(image)))
