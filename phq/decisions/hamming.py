"""Every 64-bit word within a Hamming radius, without comparing all pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phq.system.arrays import Ints

Words = NDArray[np.uint64]

CHUNKS = 4
CHUNK_BITS = 16
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
def _masks(radius: int) -> NDArray[np.uint16]:
    """Every 16-bit word with at most `radius` bits set."""
    flips = (c for k in range(radius + 1) for c in combinations(range(CHUNK_BITS), k))
    return np.array([sum(1 << bit for bit in c) for c in flips], np.uint16)


class HammingIndex:
    """Multi-index hashing (M. Norouzi, A. Punjani and D. Fleet, CVPR 2012), exact for any radius.

    A word is cut into 4 chunks of 16 bits, each with its own sorted table. With radius = 4a + b, two words
    within the radius agree up to `a` bits in one of the first b + 1 chunks, or up to a − 1 bits in one of the
    others (otherwise they would differ in (b + 1)(a + 1) + (3 − b)a = radius + 1 bits): looking up every
    chunk value that close misses nothing.
    """

    def __init__(self, words: Words, radius: int) -> None:
        self.words, self.radius = words, radius
        # the wider search goes to the chunks whose values are spread best: fewer candidates, the same answer
        counts = [np.bincount(self._chunk(words, c), minlength=1 << CHUNK_BITS) for c in range(CHUNKS)]
        spread = sorted(range(CHUNKS), key=lambda c: int((counts[c].astype(np.float64) ** 2).sum()))
        self.searches = []
        for place, c in enumerate(spread):
            reach = radius // CHUNKS - (place > radius % CHUNKS)
            if reach >= 0:
                self.searches.append((c, reach, np.concatenate([[0], np.cumsum(counts[c])])))

    @staticmethod
    def _chunk(words: Words, c: int) -> NDArray[np.uint16]:
        return (words >> np.uint64(CHUNK_BITS * c)).astype(np.uint16)

    def near(self, queries: Sequence[Words], some: int) -> Iterator[tuple[Ints, Ints]]:
        """Pieces of (query index, word index): every pair within the radius, some of them repeatedly.

        One table is in memory at a time: 12 bytes a word.

        Args:
            queries: arrays of words, each with its own indices.
            some: queries looked up at a time.
        """
        for c, reach, ends in self.searches:
            order = np.argsort(self._chunk(self.words, c), kind="stable").astype(np.int32)
            ordered = self.words[order]
            for query in queries:
                for start in range(0, len(query), some):
                    for found, place in self._looked_up(query[start : start + some], c, reach, ends):
                        hit = popcount(query[start + found] ^ ordered[place]) <= self.radius
                        yield start + found[hit], order[place[hit]].astype(np.int64)

    def _looked_up(self, query: Words, c: int, reach: int, ends: Ints) -> Iterator[tuple[Ints, Ints]]:
        """(query, place in the table) of all words of which one chunk is near enough."""
        values = (self._chunk(query, c)[:, None] ^ _masks(reach)).ravel().astype(np.int64)
        start, count = ends[values], ends[values + 1] - ends[values]
        filled = np.flatnonzero(count)
        asked = filled // len(_masks(reach))
        for lookup, place in expanded(start[filled], count[filled], PIECE):
            yield asked[lookup], place


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
