"""What an inversion is to look like: a photo, or a sample of a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from phq.config.build import load_config
from phq.dataset.overlays import LATEST
from phq.dataset.reader import Dataset
from phq.errors import ConfigError, InputError, RejectError
from phq.generator.use.cameras import label
from phq.photos.decode import decode
from phq.schema import Sample
from phq.stages.annotator import Annotator
from phq.system.arrays import Image
from phq.view.show import whole_key


@dataclass(frozen=True)
class Target:
    """One picture with its labels, on the CPU."""

    image: Tensor
    """(1, 3, R, R), −1 to 1."""
    mask: Tensor
    """(1, 1, R, R), 0 to 1."""
    camera: Tensor
    """(1, 25)"""
    pose: Tensor
    """(1, 6) neck and head, as the labels say."""
    about: dict[str, Any]
    """Where it came from."""

    def to(self, device: torch.device) -> Target:
        """The same on a device."""
        image, mask, camera, pose = (part.to(device) for part in (self.image, self.mask, self.camera, self.pose))
        return Target(image, mask, camera, pose, self.about)


def from_photo(photo: Path, side: int, person: int | None = None) -> Target:
    """One person of a photo, annotated and cut by the dataset's own stages.

    Args:
        photo: any picture that ``phq build`` reads.
        side: of the target, pixels.
        person: number, from 0, left to right; the one with the largest head if None.

    Raises:
        InputError: the photo cannot be read, or nobody in it can be annotated.
        ConfigError: it has no person of that number.
    """
    try:
        annotator = Annotator(load_config("everything", size=max(512, side)))
        people = annotator.annotate(decode(photo).pixels, name=photo.name)
    except RejectError as error:
        raise InputError(f"{photo} cannot be used: {error}") from error
    if person is not None and not 0 <= person < len(people):
        raise ConfigError(f"--person {person}: {photo} has {len(people)} people that can be annotated, numbered from 0")
    number = max(range(len(people)), key=lambda i: people[i].sample.head_px) if person is None else person
    found = people[number]
    about = {"photo": photo.name, "person": number, "people": len(people)}
    return target(found.image, found.mask, found.sample, side, about)


def from_dataset(dataset: str | Path, key: str, side: int, revision: str = LATEST) -> Target:
    """A sample of a dataset.

    Args:
        key: whole, or a unique beginning.
        revision: the revision of the labels.

    Raises:
        InputError: no dataset or state, no such key or several, or a sample without picture.
    """
    opened = Dataset(dataset, revision=revision)
    found = whole_key(opened, key)
    item = opened[found]
    return target(item.image, item.mask, item.sample, side, {"dataset": opened.root.where, "key": found})


def target(image: Image, mask: Image, sample: Sample, side: int, about: dict[str, Any]) -> Target:
    """A target of a picture (H, H, 3), its mask (H, H) and its record, resized as for training."""
    pixels, grey = (torch.from_numpy(_resized(part, side)).to(torch.float32) for part in (image, mask))
    pose = torch.tensor([sample.neck_head_pose], dtype=torch.float32)
    return Target(
        (pixels.permute(2, 0, 1)[None] / 127.5 - 1).contiguous(),
        grey[None, None] / 255,
        label(sample.cam2world, sample.intrinsics),
        pose,
        about,
    )


def _resized(pixels: Image, side: int) -> Image:
    method = cv2.INTER_AREA if side < len(pixels) else cv2.INTER_LANCZOS4
    return np.ascontiguousarray(cv2.resize(pixels, (side, side), interpolation=method))
