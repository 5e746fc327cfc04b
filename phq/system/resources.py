"""Resources that a worker needs, as stated by stages and read by executors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

PROCESS_MEMORY = 120 << 20
"""Bytes that a worker takes with its libraries, without any network."""


@dataclass(frozen=True)
class Resources:
    """Needs of one worker, or of one stage in it."""

    cpus: float = 1.0
    gpus: float = 0.0
    memory: int = 0
    """Most bytes."""


def together(wants: Iterable[Resources]) -> Resources:
    """Needs of a worker with stages that run one after the other: memory adds up, cores and GPUs are shared."""
    return summed([*wants, Resources(memory=PROCESS_MEMORY)])


def summed(wants: Iterable[Resources]) -> Resources:
    """Needs of at least one stage, without those of the process."""
    every = list(wants)
    return Resources(max(w.cpus for w in every), max(w.gpus for w in every), sum(w.memory for w in every))
