"""What is measured: the averaged networks of a run, or the ones that it began with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from phq.generator.networks.discriminator import Discriminator
from phq.generator.networks.generator import Generator
from phq.generator.train.checkpoint import Checkpoint
from phq.generator.train.config import RunConfig
from phq.generator.train.networks import AVERAGES
from phq.generator.train.schedule import now
from phq.generator.train.trained import config_of, load_average


@dataclass(frozen=True)
class Subject:
    """A generator and the discriminator that tells poses, no longer trained, on one device."""

    config: RunConfig
    g: Generator
    d: Discriminator | None
    """None: it predicts no poses, or an imported run has none."""
    raw: int
    """Side of the raw image at that point of the run."""
    metric_pose: Literal["generator", "discriminator"]
    """Whose poses people are rendered with."""

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.g.mapper.average.device


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
    config = config_of(checkpoint)
    g = Generator(config.model)
    load_average(g, checkpoint, AVERAGES[0])
    d = None
    if config.model.pose.enabled and checkpoint.holds(AVERAGES[1]):
        d = Discriminator(config.model)
        load_average(d, checkpoint, AVERAGES[1])
    return _subject(config, g, d, checkpoint.images, device)


def _subject(config: RunConfig, g: Generator, d: Discriminator | None, images: int, device: torch.device) -> Subject:
    for net in (g, d):
        if net is not None:
            net.to(device).eval().requires_grad_(False)
    then = now(config.training, images)
    return Subject(config, g, d, then.raw, then.stage.metric_pose)
