"""Where a run's random numbers come from: a seed for each sample of each purpose, and the states of the generators.

Nothing of a step depends on how many numbers were drawn before it. So a run that is resumed, or shared out over other
processes, draws the same ones.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from enum import IntEnum
from typing import Any

import numpy as np
import torch
from torch import Tensor


class Purpose(IntEnum):
    """What numbers are drawn for; the values are part of what a seed means."""

    LATENT_G = 0
    RENDER_G = 1
    LATENT_D = 2
    RENDER_D = 3
    DENSITY = 4
    SHOWN = 5


def seeds(run_seed: int, purpose: Purpose, numbers: Iterable[int]) -> list[int]:
    """A seed below 2⁶³ for each sample, by its number in the run."""
    words = (np.random.SeedSequence((run_seed, purpose, number)).generate_state(1, np.uint64) for number in numbers)
    return [int(word[0] >> np.uint64(1)) for word in words]


def begin(run_seed: int) -> None:
    """Seed the generators that everybody shares: of torch, NumPy and Python."""
    torch.manual_seed(run_seed)
    np.random.seed(run_seed % 2**32)  # noqa: NPY002 (the old generator, which others may use)
    random.seed(run_seed)


def states() -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The generators of torch, NumPy and Python: as tensors, and the few numbers beside them."""
    old: Any = np.random.get_state(legacy=True)  # noqa: NPY002
    name, words, position, has_gauss, gauss = old
    version, python, left = random.getstate()
    tensors = {
        "rng.torch": torch.get_rng_state(),
        "rng.numpy": torch.from_numpy(words.astype(np.int64)),
        "rng.python": torch.tensor(python),
    }
    if torch.cuda.is_available():
        tensors["rng.cuda"] = torch.cuda.get_rng_state()
    return tensors, {"numpy": [name, position, has_gauss, gauss], "python": [version, left]}


def restore(tensors: dict[str, Tensor], numbers: dict[str, Any]) -> None:
    """Set the generators as `states` found them."""
    torch.set_rng_state(tensors["rng.torch"])
    if "rng.cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["rng.cuda"])
    name, position, has_gauss, gauss = numbers["numpy"]
    words = tensors["rng.numpy"].numpy().astype(np.uint32)
    np.random.set_state((name, words, position, has_gauss, gauss))  # noqa: NPY002
    version, left = numbers["python"]
    random.setstate((version, tuple(tensors["rng.python"].tolist()), left))
