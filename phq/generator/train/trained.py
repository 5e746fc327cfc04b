"""What a run has learnt: its checkpoints by name, the configuration in them, and the averaged networks."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from phq.errors import ConfigError, InputError
from phq.generator.train.checkpoint import Checkpoint, checkpoints, latest
from phq.generator.train.config import RunConfig, over
from phq.generator.train.networks import load_weights, under


def find_checkpoint(where: Path) -> Checkpoint:
    """The newest checkpoint of a run's folder, or the one that a file (json or safetensors) belongs to.

    Raises:
        InputError: there is none.
    """
    if where.suffix not in (".json", ".safetensors"):
        return latest(where)
    path = where.with_suffix(".json")
    if not path.is_file() or not path.stem.isdigit():
        raise InputError(f"{where} is no checkpoint: it is NUMBER.safetensors with NUMBER.json beside it")
    return Checkpoint(int(path.stem), path)


def checkpoint_after(run: Path, images: int | None = None) -> Checkpoint:
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


def config_of(checkpoint: Checkpoint) -> RunConfig:
    """The configuration that the run had then.

    Raises:
        InputError: the checkpoint is damaged, or of another version of phq.
    """
    try:
        return over(checkpoint.facts()["config"])
    except (ConfigError, KeyError, TypeError) as error:
        raise InputError(f"{checkpoint.path} is of another version of phq: {error}") from error


def load_average(net: nn.Module, checkpoint: Checkpoint, part: str) -> None:
    """Take averaged weights (EMA).

    Args:
        part: one of `phq.generator.train.networks.AVERAGES`.

    Raises:
        InputError: the checkpoint is damaged, or of networks of other shapes.
    """
    load_weights(net, under(part, checkpoint.read([part])), checkpoint.tensors)
