"""A trained generator, from a run's folder or from one of its checkpoints."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from phq.generator.networks.generator import Generator
from phq.generator.train.networks import AVERAGES
from phq.generator.train.ranks import joined
from phq.generator.train.schedule import now
from phq.generator.train.trained import config_of, find_checkpoint, load_average
from phq.generator.use.cameras import camera_at


@dataclass(frozen=True)
class Trained:
    """A generator that is no longer trained, on its device."""

    g: Generator
    raw: int
    """Side of the raw image at that point of the run."""
    images: int
    """Real images that it has been trained on."""

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return self.g.mapper.average.device

    def camera_at(self, yaw_deg: float, pitch_deg: float = 0.0, radius: float | None = None) -> Tensor:
        """(1, 25) of one of the cameras that the model is for; see `phq.generator.use.cameras.camera_at`."""
        return camera_at(yaw_deg, pitch_deg, radius, self.g.config.camera)


def choose_device(name: str) -> torch.device:
    """The device called ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        ConfigError: there is no such device.
    """
    with joined(name) as ranks:
        return ranks.device


def open_trained(where: str | Path, device: str = "auto") -> Trained:
    """The averaged generator (EMA) of a run.

    Args:
        where: folder of the run, for its newest checkpoint, or a checkpoint's file.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        InputError: no run, or a checkpoint that is damaged.
        ConfigError: no such device.
    """
    checkpoint, place = find_checkpoint(Path(where)), choose_device(device)
    config = config_of(checkpoint)
    g = Generator(config.model)
    load_average(g, checkpoint, AVERAGES[0])
    g.to(place).eval().requires_grad_(False)
    return Trained(g, now(config.training, checkpoint.images).raw, checkpoint.images)


def at_distance(g: Generator, radius: float) -> Generator:
    """The same networks with the range of the rays for a camera at `radius`, metres from the neck.

    Rays begin and end at fixed distances from the camera; a camera that is nearer must look nearer.
    """
    shift = radius - g.config.camera.radius
    if abs(shift) < 1e-4:
        return g
    render = g.config.render
    moved = copy.copy(g)  # shares every weight
    fresh = render.model_copy(update={"near": render.near + shift, "far": render.far + shift})
    moved.config = g.config.model_copy(update={"render": fresh})
    return moved
