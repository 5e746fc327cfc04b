"""The pictures of a dataset that a run is held against."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from phq.dataset.folder import SPLITS
from phq.dataset.reader import Dataset
from phq.errors import InputError
from phq.generator.evaluate.poses import stated_poses
from phq.generator.train.config import RunConfig
from phq.generator.train.mixture import check
from phq.system.arrays import Floats


@dataclass(frozen=True)
class Material:
    """Samples in random order, each once."""

    whole: Dataset
    """The split that was trained on."""
    trained: Dataset
    """Of these up to twice `count`: the first are compared with, all together tell how near real pictures come."""
    held_out: Dataset
    """Up to as many of the split ``val``; none if there is no such split, or it was trained on."""
    count: int
    """Pictures of a distance."""


def choose(data: str | Path, config: RunConfig, revision: str, count: int, seed: int) -> Material:
    """Open a dataset as a run was trained on it, and draw pictures.

    Raises:
        InputError: no dataset or no such state; it lacks what the model needs, or has fewer than two pictures.
    """
    split = config.training.split
    whole = Dataset(data, split=split or None, revision=revision)
    check(whole, config.model.resolution)
    if len(whole) < 2:
        raise InputError(f"{data} has one picture in this split: there is no distance to it")
    count = min(count, len(whole))
    held_out = Dataset(data, split=SPLITS[1], revision=revision)
    if split in ("", SPLITS[1]):
        held_out = held_out[:0]
    return Material(whole, _some(whole, 2 * count, seed), _some(held_out, count, seed), count)


def true_poses(dataset: Dataset, data: str | Path, state: str) -> Floats:
    """(N, 6) poses that another state of the dataset states of the same samples.

    Raises:
        InputError: there is no such state, or it has thrown one of them out.
    """
    true = Dataset(data, revision=state)
    return stated_poses(true.select([true.index_of(key) for key in dataset.keys]))


def _some(dataset: Dataset, count: int, seed: int) -> Dataset:
    return dataset.select(np.random.default_rng([seed, 0]).permutation(len(dataset))[:count])
