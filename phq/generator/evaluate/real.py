"""Real pictures, looked at once: features, labels, and the poses that the discriminator reads off them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from phq.dataset.loader import Loader
from phq.dataset.reader import Dataset
from phq.generator.evaluate.features import Extractor
from phq.generator.evaluate.subject import Subject
from phq.generator.networks.conditioning import POSE
from phq.generator.networks.filters import resize
from phq.system.arrays import Floats, Image


@dataclass(frozen=True)
class Real:
    """N pictures of a dataset as numbers, in the dataset's order."""

    camera: Tensor
    """(N, 25)"""
    stated: Tensor
    """(N, 6) poses of neck and head that the dataset states."""
    seen: Tensor
    """(N, 6) poses that the discriminator sees."""
    foreground: NDArray[np.float64]
    """(N,) part of each picture that its mask says is the person."""
    features: Mapping[str, Floats]
    """(N, D) of each extractor."""
    mean_image: Image
    """(R, R, 3) the mean of all pictures."""


@torch.inference_mode()
def look(dataset: Dataset, subject: Subject, extractors: Mapping[str, Extractor], batch: int) -> Real:
    """Look at all pictures of a dataset, shrunk to the side that the generator makes.

    Raises:
        InputError: a picture cannot be read.
    """
    count, side = len(dataset), subject.g.config.resolution
    loader = Loader(dataset, batch, size=side, rank=0, world_size=1)
    camera, stated, seen = (torch.zeros(count, n) for n in (25, 6, 6))
    foreground, total = np.zeros(count), np.zeros((side, side, 3))
    features: dict[str, list[Floats]] = {name: [np.zeros(0)] * count for name in extractors}
    for items in loader:
        index = items["index"]
        camera[index], stated[index] = items["camera"], items["pose"]
        seen[index] = _poses(subject, items["image"], items["mask"], items["camera"])
        foreground[index.numpy()] = items["mask"].double().mean(dim=(1, 2)).numpy() / 255
        images = items["image"].permute(0, 2, 3, 1).contiguous().numpy()
        total += images.sum(axis=0, dtype=np.float64)
        for name, extractor in extractors.items():
            for number, row in zip(index.tolist(), extractor(images), strict=True):
                features[name][number] = row
    stacked = {name: np.stack(rows) for name, rows in features.items()}
    mean = np.rint(total / count).astype(np.uint8)
    return Real(camera, stated, seen, foreground, stacked, mean)


def _poses(subject: Subject, images: Tensor, masks: Tensor, camera: Tensor) -> Tensor:
    """(B, 6) by the discriminator, shown pictures as in training; the rest pose where there is none."""
    if subject.d is None:
        return torch.zeros(len(images), POSE)
    device = subject.device
    image = (images.to(device, torch.float32) / 127.5 - 1).contiguous()
    mask = masks[:, None].to(device, torch.float32) / 255
    raw, small = resize(image, subject.raw), resize(mask, subject.raw)
    return subject.d.predict_pose(image, raw, small, camera.to(device)).cpu()
