"""What a worker wants of a machine: said by stages, read by executors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

PROCESS_MEMORY = 120 << 20
"""Bytes of a worker with its libraries and without a network."""


@dataclass(frozen=True)
class Resources:
    """Of one worker, or of one stage in it."""

    cpus: float = 1.0
    gpus: float = 0.0
    memory: int = 0
    """Bytes, at most."""


def together(wants: Iterable[Resources]) -> Resources:
    """Of stages that run one after the other in a worker: memory adds up, cores and GPUs are shared."""
    return summed([*wants, Resources(memory=PROCESS_MEMORY)])


def summed(wants: Iterable[Resources]) -> Resources:
    """The same without the process round them; of at least one."""
    every = list(wants)
    return Resources(max(w.cpus for w in every), max(w.gpus for w in every), sum(w.memory for w in every))
