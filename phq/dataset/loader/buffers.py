"""Reused memory for batches: 25 MB of new shared memory for each would cost as much as decoding half of it.

The kernel must find and clear every page of new memory. So the main process owns a few buffers that all workers share,
and assigns one to each batch. A buffer is free again when the last tensor that views it is gone.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass

import torch
from torch import Tensor

NO_BUFFER = -1


@dataclass(frozen=True)
class Layout:
    """Layout of the pictures of a batch in memory: all images, then all masks."""

    side: int
    image: bool
    mask: bool

    def size(self, count: int) -> int:
        """Bytes of `count` samples."""
        return count * self.side**2 * (3 * self.image + self.mask)

    def split(self, memory: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Views of images, count × side × side × 3, and masks, count × side × side; an absent kind has count 0."""
        end = count * self.image * self.side**2 * 3
        images = memory[:end].view(-1, self.side, self.side, 3)
        return images, memory[end : self.size(count)].view(-1, self.side, self.side)


class Buffers:
    """A fixed number of buffers of one size; picklable as an argument of a DataLoader's workers.

    Only the process that made them may call `take` and `lend`.

    Args:
        number: of buffers.
        size: bytes of each.
        shared: in shared memory.
    """

    def __init__(self, number: int, size: int, shared: bool) -> None:
        memory = torch.empty((number, size), dtype=torch.uint8)
        if shared:
            memory.share_memory_()  # type: ignore[no-untyped-call]
        self._memory = memory
        self._free = list(range(number))

    def take(self) -> int:
        """Number of a free buffer; `NO_BUFFER` if there is none, since the caller keeps many batches."""
        return self._free.pop() if self._free else NO_BUFFER  # the last one may still be in a cache

    def __getitem__(self, number: int) -> Tensor:
        """A buffer, for the worker that its number was assigned to."""
        return self._memory[number]

    def lend(self, number: int) -> Tensor:
        """A buffer to read, which is free again when no tensor or array views it any more."""
        array = self._memory[number].numpy()  # torch keeps this object as long as the storage made from it
        weakref.finalize(array, self._free.append, number).atexit = False
        return torch.from_numpy(array)
