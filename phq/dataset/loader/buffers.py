"""Memory for batches, used again: a fresh 25 MB of shared memory for each costs as much as decoding half of it.

The kernel must find and clear every page of fresh memory. So the main process owns a few buffers that all workers see,
and names one with each batch it orders. A buffer is free again when the last tensor that looks into it is gone.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass

import torch
from torch import Tensor

NO_BUFFER = -1


@dataclass(frozen=True)
class Layout:
    """How the pictures of a batch lie in memory: all images, then all masks."""

    side: int
    image: bool
    mask: bool

    def size(self, count: int) -> int:
        """Bytes of `count` samples."""
        return count * self.side**2 * (3 * self.image + self.mask)

    def split(self, memory: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Views of the images, count × side × side × 3, and of the masks, count × side × side, 0 of what is absent."""
        end = count * self.image * self.side**2 * 3
        images = memory[:end].view(-1, self.side, self.side, 3)
        return images, memory[end : self.size(count)].view(-1, self.side, self.side)


class Buffers:
    """A fixed number of buffers of one size; picklable as a DataLoader pickles what its workers get.

    Only the process that made them may take and lend.
    """

    def __init__(self, number: int, size: int, shared: bool) -> None:
        memory = torch.empty((number, size), dtype=torch.uint8)
        if shared:
            memory.share_memory_()  # type: ignore[no-untyped-call]
        self._memory = memory
        self._free = list(range(number))

    def take(self) -> int:
        """Number of a free buffer, `NO_BUFFER` if there is none: somebody keeps many batches."""
        return self._free.pop() if self._free else NO_BUFFER  # the last one may still be in a cache

    def __getitem__(self, number: int) -> Tensor:
        """A buffer, to be written to by whoever was given its number."""
        return self._memory[number]

    def lend(self, number: int) -> Tensor:
        """A buffer to be read, and free again when no tensor or array looks into it any more."""
        array = self._memory[number].numpy()  # torch keeps this very object as long as the storage made of it
        weakref.finalize(array, self._free.append, number).atexit = False
        return torch.from_numpy(array)
