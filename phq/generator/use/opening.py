"""A trained generator: of a run, of a file of ``phq gan export``, or one that comes with phq."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from torch import Tensor

from phq.errors import ConfigError, InputError
from phq.generator.config import ModelConfig
from phq.generator.networks.generator import Generator
from phq.generator.train.networks import AVERAGES, load_weights
from phq.generator.train.ranks import joined
from phq.generator.train.schedule import now
from phq.generator.train.trained import config_of, find_checkpoint, load_average
from phq.generator.use.cameras import camera_at
from phq.weights.embedded import GENERATOR, checked_path, generators

FORMAT = "phq-generator/1"
"""Of a generator's file; its metadata are ``format``, ``model`` (json), ``raw`` and ``images``."""


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
        where: folder of the run, for its newest checkpoint, a checkpoint's file, or the weights of an export.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        InputError: no run, or a checkpoint that is damaged.
        ConfigError: no such device.
    """
    path = Path(where)
    if path.suffix == ".safetensors" and path.is_file() and not path.with_suffix(".json").exists():
        return read_generator(path, device)
    checkpoint, place = find_checkpoint(path), choose_device(device)
    config = config_of(checkpoint)
    g = Generator(config.model)
    load_average(g, checkpoint, AVERAGES[0])
    g.to(place).eval().requires_grad_(False)
    return Trained(g, now(config.training, checkpoint.images).raw, checkpoint.images)


def open_pretrained(name: str, device: str = "auto") -> Trained:
    """A generator that comes with phq.

    Args:
        name: of the generator.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        ConfigError: no such generator, no such device.
        WeightError: its file is missing or altered.
    """
    if name not in generators():
        raise ConfigError(f"--pretrained {name}: phq comes with {', '.join(generators()) or 'no generator'}")
    return read_generator(checked_path(GENERATOR + name), device)


def read_generator(path: Path, device: str = "auto") -> Trained:
    """The generator in a file that ``phq gan export`` wrote; weights of 16 bits become 32.

    Args:
        path: of the safetensors file.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        InputError: it is damaged, or of another format.
        ConfigError: no such device.
    """
    place = choose_device(device)
    try:
        with safe_open(path, "pt") as file:
            facts = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        if facts.get("format") != FORMAT:
            raise InputError(f"{path} is not a generator of the format {FORMAT}")
        g = Generator(ModelConfig.model_validate_json(facts["model"]))
        raw, images = int(facts["raw"]), int(facts["images"])
    except (OSError, SafetensorError, ValidationError, LookupError, ValueError) as error:
        raise InputError(f"the generator {path} cannot be read: {error}") from error
    load_weights(g, state, path)
    g.to(place).eval().requires_grad_(False)
    return Trained(g, raw, images)


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
