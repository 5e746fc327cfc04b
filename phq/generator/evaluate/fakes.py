"""Generated pictures: one for each of a list of cameras, conditioned on that camera or another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from phq.generator.evaluate.features import Extractor
from phq.generator.evaluate.subject import Subject
from phq.generator.networks.generator import Rendering
from phq.generator.train.preview import to_pixels
from phq.system.arrays import Floats, Image


@dataclass(frozen=True)
class People:
    """N people to render; everything on the device of the generator."""

    z: Tensor
    """(N, latent)"""
    camera: Tensor
    """(N, 25) that renders."""
    pose: Tensor
    """(N, 6) that is rendered."""
    condition: tuple[Tensor, Tensor]
    """Camera (N, 25) and pose (N, 6) of the mapping network."""

    def first(self, count: int) -> People:
        """The first few of them."""
        camera, pose = self.condition
        return People(self.z[:count], self.camera[:count], self.pose[:count], (camera[:count], pose[:count]))

    def decoupled(self, seed: int) -> People:
        """The same people and cameras, each conditioned on those of another one (FID-random; LPFF, section 5.2)."""
        partner = torch.from_numpy(partners(len(self.z), seed))
        return People(self.z, self.camera, self.pose, (self.camera[partner], self.pose[partner]))


@dataclass(frozen=True)
class Fakes:
    """N generated pictures as numbers."""

    features: Mapping[str, Floats]
    """(N, D) of each extractor."""
    foreground: NDArray[np.float64]
    """(N,) mean of each rendered mask."""


def latents(count: int, size: int, seed: int) -> Tensor:
    """(count, size) from N(0, 1); the first ones are the same whatever the count."""
    numbers = np.random.default_rng([seed, 1]).standard_normal((count, size))
    return torch.from_numpy(numbers.astype(np.float32))


def partners(count: int, seed: int) -> NDArray[np.int64]:
    """(count,) for each number another one, all in one random cycle: nobody is their own, if there are two."""
    cycle = np.random.default_rng([seed, 2]).permutation(count)
    partner = np.empty(count, np.int64)
    partner[cycle] = np.roll(cycle, 1)
    return partner


@torch.inference_mode()
def people(subject: Subject, camera: Tensor, seen: Tensor, seed: int) -> People:
    """New people for cameras (N, 25), each conditioned on its own.

    Args:
        seen: (N, 6) poses that the discriminator sees in the real pictures of these cameras: rendered with, where the
            run's stage says so; else with the generator's own.
    """
    device = subject.device
    z, camera = latents(len(camera), subject.g.config.latent, seed).to(device), camera.to(device)
    pose = seen.to(device) if subject.metric_pose == "discriminator" else subject.g.predict_pose(z, camera)
    return People(z, camera, pose, (camera, pose))


@torch.inference_mode()
def pictures(subject: Subject, cast: People, batch: int) -> Iterator[Rendering]:
    """Renderings of people, `batch` at a time, without noise and with sample places fixed."""
    for start in range(0, len(cast.z), batch):
        rows = slice(start, start + batch)
        ws = subject.g.mapping(cast.z[rows], cast.condition[0][rows], cast.condition[1][rows])
        yield subject.g.synthesis(ws, cast.camera[rows], cast.pose[rows], resolution=subject.raw)


def to_images(images: Tensor) -> Image:
    """(B, H, W, 3) pixels, as they would be stored, of images (B, 3, H, W) in −1 to 1."""
    return to_pixels(images).reshape(len(images), *images.shape[2:], 3)


def look(subject: Subject, cast: People, extractors: Mapping[str, Extractor], batch: int) -> Fakes:
    """Render people and keep what is measured."""
    features: dict[str, list[Floats]] = {name: [] for name in extractors}
    foreground = []
    for rendering in pictures(subject, cast, batch):
        images = to_images(rendering["image"])
        foreground.append(rendering["mask"].clamp(0, 1).mean(dim=(1, 2, 3)).double().cpu().numpy())
        for name, extractor in extractors.items():
            features[name].append(extractor(images))
    return Fakes({name: np.concatenate(rows) for name, rows in features.items()}, np.concatenate(foreground))
