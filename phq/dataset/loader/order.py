"""The order of an epoch and its division among ranks, the same on every machine.

Shuffling sorts by the words of Philox (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), a
counter-based generator whose key is (seed, epoch). NumPy guarantees this stream across versions, but not its shuffle.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from phq.system.arrays import Doubles, Ints


def epoch_order(count: int, seed: int, epoch: int, weights: Doubles | None = None) -> Ints:
    """(count,) the entries of an epoch in order: a permutation of 0…count − 1.

    With `weights` (count,), entry i comes E or E + 1 times, E being the whole part of count · weights[i] / Σ weights,
    and over many epochs that often on average: systematic resampling (Carpenter, Clifford & Fearnhead 1999).
    """
    words = np.random.Philox(key=np.array([seed, epoch], np.uint64))
    order = _shuffled(np.arange(count), words)
    if weights is None:
        return order
    start = (int(words.random_raw()) >> 11) * 2.0**-53
    return _shuffled(np.repeat(order, _times(weights[order], start)), words)


def _shuffled(entries: Ints, words: np.random.Philox) -> Ints:
    return entries[np.argsort(words.random_raw(len(entries)), kind="stable")]


def _times(weights: Doubles, start: float) -> Ints:
    """(N,) how many of the points `start` + 0, 1, … fall on each entry's piece of a line of length N."""
    ends = np.cumsum(weights)
    ends *= len(weights) / ends[-1]
    ends[-1] = len(weights)
    hits = np.floor(ends + start).astype(np.int64)
    hits[1:] -= hits[:-1].copy()
    return hits


@dataclass(frozen=True)
class Deal:
    """Division of an order among ranks, step by step."""

    batch_size: int
    rank: int
    world_size: int
    drop_last: bool

    def count(self, position: int, length: int) -> int:
        """Number of `steps`, without iterating over them."""
        whole, last = divmod(length - position, self.batch_size * self.world_size)
        if not last or self.drop_last:
            return whole
        given_up = whole > 0 and self.batch_size > 1  # the step before leaves one entry a rank, if need be
        if last < self.world_size and not given_up:
            return whole + (-last * self.rank // self.world_size > -last * (self.rank + 1) // self.world_size)
        return whole + 1

    def steps(self, position: int, length: int) -> Iterator[tuple[slice, int]]:
        """For each step from `position` on the part of this rank, and the position after it.

        A whole step is `batch_size` entries a rank, the last one what is left, unless that is dropped. Where less
        than one entry a rank would be left, the step before gives up enough for one each, so that all ranks have as
        many steps. With one entry a batch that cannot be: there, the ranks that get none have no last step. Rank 0 has
        every step.
        """
        whole = self.batch_size * self.world_size
        while (rest := length - position) > 0 and not (self.drop_last and rest < whole):
            taken = min(whole, rest)
            if 0 < rest - whole < self.world_size and self.batch_size > 1 and not self.drop_last:
                taken = rest - self.world_size
            first, end = (position - (-taken * rank // self.world_size) for rank in (self.rank, self.rank + 1))
            position += taken
            if first < end:
                yield slice(first, end), position
