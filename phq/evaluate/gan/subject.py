"""What is measured: the averaged networks of a run, or the ones that it began with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from phq.errors import ConfigError, InputError
from phq.generator.discriminator import Discriminator
from phq.generator.generator import Generator
from phq.train.checkpoint import Checkpoint, checkpoints, latest
from phq.train.config import RunConfig, over
from phq.train.networks import AVERAGES
from phq.train.schedule import now


@dataclass(frozen=True)
class Subject:
    """A generator and the discriminator that tells poses, no longer trained, on one device."""

    config: RunConfig
    g: Generator
    d: Discriminator
    raw: int
    """Side of the raw image at that point of the run."""
    metric_pose: Literal["generator", "discriminator"]
    """Whose poses people are rendered with."""

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.g.mapper.average.device


def find_checkpoint(run: Path, images: int | None = None) -> Checkpoint:
    """The newest checkpoint of a run, or the one after so many images.

    Raises:
        InputError: there is none.
    """
    newest = latest(run)
    if images is None:
        return newest
    found = {checkpoint.images: checkpoint for checkpoint in checkpoints(run)}
    if images not in found:
        raise InputError(f"{run} has no checkpoint after {images} images; it has: {', '.join(map(str, found))}")
    return found[images]


def untrained(config: RunConfig, device: torch.device) -> Subject:
    """The networks that a run with this configuration begins with, weight for weight."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.training.seed)
        g, d = Generator(config.model), Discriminator(config.model)
    return _subject(config, g, d, 0, device)


def read_trained(checkpoint: Checkpoint, device: torch.device) -> Subject:
    """The averages (EMA) in a checkpoint.

    Raises:
        InputError: it is damaged, or of another version of phq.
    """
    try:
        config = over(checkpoint.facts()["config"])
    except (ConfigError, KeyError, TypeError) as error:
        raise InputError(f"{checkpoint.path} is of another version of phq: {error}") from error
    g, d = Generator(config.model), Discriminator(config.model)
    for part, net in zip(AVERAGES, (g, d), strict=True):
        state = {name.removeprefix(f"{part}."): value for name, value in checkpoint.read([part]).items()}
        try:
            net.load_state_dict(state)
        except RuntimeError as error:
            what = str(error).splitlines()[-1].strip()
            raise InputError(f"{checkpoint.tensors} does not fit the model: {what}") from None
    return _subject(config, g, d, checkpoint.images, device)


def _subject(config: RunConfig, g: Generator, d: Discriminator, images: int, device: torch.device) -> Subject:
    for net in (g, d):
        net.to(device).eval().requires_grad_(False)
    then = now(config.training, images)
    return Subject(config, g, d, then.raw, then.stage.metric_pose)
