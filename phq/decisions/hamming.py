"""Every 64-bit word within a Hamming radius, without comparing all pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phq.system.arrays import Bools, Ints

Words = NDArray[np.uint64]

NARROW, WIDE = (16, 16, 16, 16), (21, 21, 22)
"""Bits of each chunk of a word, from the lowest."""
MANY = 1 << 18
"""Words from which on chunks are wide: four to seven times as many values to look up, with a thirtieth of the words at
each."""
PIECE = 1 << 17
"""Candidates compared at a time; few enough for a processor's cache."""


def popcount(words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Number of bits set in each word, in an array of the same shape."""
    if hasattr(np, "bitwise_count"):  # numpy 2
        return np.asarray(np.bitwise_count(words), np.uint8)
    return popcount_by_table(words)


def popcount_by_table(words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """`popcount` for numpy 1: sixteen bits at a time out of a table."""
    halves = np.ascontiguousarray(words)[..., None].view(np.uint16)
    return np.asarray(_table()[halves].sum(-1, dtype=np.uint8))


@cache
def _table() -> NDArray[np.uint8]:
    bits = np.unpackbits(np.arange(1 << 16, dtype=np.uint16).view(np.uint8).reshape(-1, 2), axis=1)
    return np.asarray(bits.sum(1, dtype=np.uint8))


@cache
def _masks(width: int, radius: int) -> NDArray[np.uint32]:
    """Every word of so many bits with at most `radius` of them set."""
    flips = (c for k in range(radius + 1) for c in combinations(range(width), k))
    return np.array([sum(1 << bit for bit in c) for c in flips], np.uint32)


class HammingIndex:
    """Multi-index hashing (M. Norouzi, A. Punjani and D. Fleet, CVPR 2012), exact for any radius.

    A word is cut into m chunks, 4 or, among many words, 3, each with its own sorted table. With radius = m·a + b, two
    words within the radius agree up to `a` bits in one of the first b + 1 chunks, or up to a − 1 bits in one of the
    others (otherwise they would differ in (b + 1)(a + 1) + (m − 1 − b)a = radius + 1 bits): looking up every
    chunk value that close misses nothing.
    """

    def __init__(self, words: Words, radius: int) -> None:
        self.words, self.radius = words, radius
        self._widths = WIDE if len(words) >= MANY else NARROW
        count = len(self._widths)
        # the wider search goes to the chunks whose values are spread best: fewer candidates, the same answer
        self._searches: list[tuple[int, int]] = []
        for place, c in enumerate(sorted(range(count), key=self._crowd)):
            reach = radius // count - (place > radius % count)
            if reach >= 0:
                self._searches.append((c, reach))

    def _chunk(self, words: Words, c: int) -> NDArray[np.uint32]:
        low = words >> np.uint64(sum(self._widths[:c]))
        return (low & np.uint64((1 << self._widths[c]) - 1)).astype(np.uint32)

    def _crowd(self, c: int) -> int:
        """How many words have the same value of a chunk, summed over all words."""
        counts = np.bincount(self._chunk(self.words, c))
        return int(np.square(counts, out=counts).sum())

    def near(self, queries: Sequence[Words], some: int) -> Iterator[tuple[Ints, Ints]]:
        """Pieces of (query index, word index): every pair within the radius, some of them repeatedly.

        One table is in memory at a time: 12 bytes a word, and up to 60 MiB.

        Args:
            queries: arrays of words, each with its own indices.
            some: queries looked up at a time.
        """
        for c, reach in self._searches:
            values, masks = self._chunk(self.words, c), _masks(self._widths[c], reach)
            starts = np.zeros((1 << self._widths[c]) + 1, np.int32)
            np.cumsum(np.bincount(values, minlength=len(starts) - 1), out=starts[1:])
            order = np.argsort(values).astype(np.int32)  # in which order equal ones come makes no difference
            del values
            ordered, filled = self.words[order], starts[1:] > starts[:-1]
            for query in queries:
                for start in range(0, len(query), some):
                    part = query[start : start + some]
                    asked, value = _filled(self._chunk(part, c)[:, None] ^ masks, filled)
                    begin = starts[value].astype(np.int64)
                    for run, place in expanded(begin, starts[value + 1] - begin, PIECE):
                        found = asked[run]
                        hit = popcount(part[found] ^ ordered[place]) <= self.radius
                        yield start + found[hit], order[place[hit]].astype(np.int64)


def _filled(values: NDArray[np.uint32], filled: Bools) -> tuple[Ints, Ints]:
    """(row, value) of the values at which there are words.

    Args:
        values: (Q, masks).
        filled: whether there are, by value.
    """
    place = np.flatnonzero(filled[values])
    return place // values.shape[1], values.ravel()[place].astype(np.int64)


def expanded(start: Ints, count: Ints, piece: int) -> Iterator[tuple[Ints, Ints]]:
    """(run, place) for every place start … start + count − 1 of every run, so many at a time."""
    ends = np.cumsum(count)
    begins = ends - count
    for done in range(0, int(ends[-1]) if len(ends) else 0, piece):
        until = min(done + piece, int(ends[-1]))
        part = slice(int(np.searchsorted(ends, done, side="right")), int(np.searchsorted(ends, until)) + 1)
        sizes = np.minimum(ends[part], until) - np.maximum(begins[part], done)
        run = np.repeat(np.arange(part.start, part.stop), sizes)
        yield run, np.arange(done, until) + np.repeat(start[part] - begins[part], sizes)


def distance(a: Words, a_mirror: Words, b: Words, b_mirror: Words) -> NDArray[Any]:
    """Fewest bits between a hash and the other's hash or mirror hash; symmetric, arrays broadcast."""
    return np.asarray(np.minimum(popcount(a ^ b), mirror_distance(a, a_mirror, b, b_mirror)))


def mirror_distance(a: Words, a_mirror: Words, b: Words, b_mirror: Words) -> NDArray[Any]:
    """Fewest bits between a hash and the other's mirror hash; symmetric, arrays broadcast."""
    return np.asarray(np.minimum(popcount(a ^ b_mirror), popcount(a_mirror ^ b)))
