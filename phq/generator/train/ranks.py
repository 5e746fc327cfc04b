"""One process or many: who this one is, and what all of them share."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

from phq.errors import ConfigError


@dataclass(frozen=True)
class Ranks:
    """This process among all of them."""

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and talks."""
        return self.rank == 0

    def total(self, values: Tensor) -> Tensor:
        """Sum over all processes, in place."""
        if self.world > 1:
            distributed.all_reduce(values)
        return values

    def any(self, flag: bool) -> bool:
        """Whether it is true in one of the processes; they agree on the CPU, so that no GPU is waited for."""
        return flag if self.world == 1 else bool(self.total(torch.tensor(float(flag))) > 0)

    def share_gradients(self, parameters: Sequence[Tensor]) -> list[Tensor]:
        """Sum the gradients of all processes, as one message; the sums.

        Only parameters that have a gradient take part: those are the same ones everywhere.
        """
        gradients = [p.grad for p in parameters if p.grad is not None]
        if self.world > 1:
            flat = self.total(torch.cat([gradient.flatten() for gradient in gradients]))
            wholes = torch.split(flat, [gradient.numel() for gradient in gradients])
            for gradient, whole in zip(gradients, wholes, strict=True):
                gradient.copy_(whole.view_as(gradient))
        return gradients


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """This process among those that torchrun started, or alone.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; with torchrun each process of a machine takes one GPU.

    Raises:
        ConfigError: there is no such device.
    """
    world, local = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_RANK", "0"))
    own = _device(device, local if world > 1 else None)
    if world == 1:
        yield Ranks(0, 1, own)
        return
    on_gpu = own.type == "cuda"
    distributed.init_process_group("cpu:gloo,cuda:nccl" if on_gpu else "gloo", device_id=own if on_gpu else None)
    try:
        yield Ranks(distributed.get_rank(), distributed.get_world_size(), own)
    finally:
        distributed.destroy_process_group()


def set_tf32(allowed: bool) -> None:
    """Whether a GPU may multiply float32 with 10 bits of mantissa (TF32); torch's own default: in convolutions."""
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


def _device(name: str, local: int | None) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"--device {name}: expected auto, cpu, cuda or cuda:N") from None
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"--device {name}: expected auto, cpu, cuda or cuda:N")
    if device.type == "cpu":
        return device
    if not torch.cuda.is_available():
        raise ConfigError(f"--device {name}: torch sees no GPU here; leave it out to train on the CPU")
    number = local if local is not None else device.index or 0
    if number >= torch.cuda.device_count():
        raise ConfigError(f"--device {name}: there are {torch.cuda.device_count()} GPUs, no number {number}")
    torch.cuda.set_device(number)
    set_tf32(False)
    return torch.device("cuda", number)
