"""Samples whose colours may match, without comparing all pairs: coarse colours, eight in one word, in cells.

A comparison of two words says whether eight colours are near enough, in six operations on 64 bits; the cells leave few
words to compare. In memory are 20 bytes a sample.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from phq.decisions.hamming import Words, expanded
from phq.system.arrays import Bools, Floats, Ints

LOWEST = np.array([0, -56, -56, 0, -56, -56, 0, -56])
"""L*, a*, b* of the clothes and of the mean background, L* and a* of the head; what lies outside counts as the edge."""
LEVELS = np.array([101, 113, 113, 101, 113, 113, 101, 113])
"""Steps of 1 in L*a*b*."""
WITHIN = np.array([6, 6, 6, 6, 6, 6, 12, 12])
"""Distances along each axis that are found, and few greater ones."""
_REACH = np.ascontiguousarray(WITHIN + 1, np.uint8).view(np.uint64)[0]
"""Two numbers at most 6 apart are at most 7 steps apart. The largest step and this stay below 128."""
_HIGH = np.uint64(0x8080808080808080)
_AXES = 6
"""Those that have cells."""
_WIDE, _NARROW = 4, 3
"""Bits of a cell's width; half the width asks for eight times the cells, and finds a fifth of the words."""
MANY = 200_000
"""Samples from which on cells are narrow."""
SOME = 256
"""Samples looked up at a time."""
PIECE = 1 << 16
"""Pairs compared at a time; bounds the memory to some megabytes."""


def coarse(looks: Floats) -> Words:
    """(N,) the coarse colours of each sample.

    Args:
        looks: (N, regions, 6) of `phq.quality.appearance`.
    """
    means = np.column_stack([looks[:, 1, :3], looks[:, 2:, :3].mean(1), looks[:, 0, :2]])
    return np.asarray(np.clip(means - LOWEST, 0, LEVELS - 1).astype(np.uint8).view(np.uint64).ravel())


def may_match(one: Words, other: Words) -> Bools:
    """Whether colours are within `WITHIN`: no pair that is, is missed. Arrays broadcast."""
    return np.asarray(((((one + _REACH) | _HIGH) - other) & (((other + _REACH) | _HIGH) - one) & _HIGH) == _HIGH)


class ColourGrid:
    """The words of samples from one on, in the order of their cells.

    Args:
        words: (N,) of `coarse`.
        first: number of the first sample that is to be found.
    """

    def __init__(self, words: Words, first: int) -> None:
        self._shift = _NARROW if len(words) - first >= MANY else _WIDE
        self._sides = ((LEVELS[:_AXES] - 1) >> self._shift) + 1
        self._steps = np.append(np.cumprod(self._sides[:0:-1])[::-1], 1)
        cells = self._cells(words[first:])
        counts = np.bincount(cells, minlength=int(self._sides.prod()) + 1)
        self._starts = np.concatenate([np.zeros(1, np.int32), np.cumsum(counts, dtype=np.int32)])
        order = np.argsort(cells).astype(np.int32)
        self._words = words[first:][order]
        self._samples = order + np.int32(first)

    def _cells(self, words: Words) -> NDArray[np.int32]:
        levels, cells = words.view(np.uint8).reshape(-1, 8), np.zeros(len(words), np.int32)
        for axis, step in enumerate(self._steps.tolist()):
            cells += (levels[:, axis] >> self._shift).astype(np.int32) * np.int32(step)
        return cells

    def near(self, words: Words, samples: Ints, earlier: bool = False) -> Iterator[tuple[Ints, Ints]]:
        """(sample, later sample) of all pairs within `WITHIN` and few others, by sample, some at a time.

        Args:
            words: as in the constructor, or longer.
            samples: (M,) numbers, in ascending order.
            earlier: give earlier samples in place of later ones.
        """
        for start in range(0, len(samples), SOME):
            some = samples[start : start + SOME]
            asked, begin, count = self._runs(words[some])
            one, word = some[asked], words[some[asked]]
            for run, place in expanded(begin, count, PIECE):
                found = np.flatnonzero(may_match(word[run], self._words[place]))
                first, second = one[run[found]], self._samples[place[found]].astype(np.int64)
                wanted = second < first if earlier else second > first
                yield first[wanted], second[wanted]

    def _runs(self, words: Words) -> tuple[Ints, Ints, Ints]:
        """(which word, place, number of words) of all runs of words in cells that reach it, by word."""
        levels = words.view(np.uint8).reshape(-1, 8)[:, :_AXES].astype(np.int64)
        low = np.maximum(levels - WITHIN[:_AXES] - 1, 0) >> self._shift
        high = np.minimum(levels + WITHIN[:_AXES] + 1, LEVELS[:_AXES] - 1) >> self._shift
        row = np.zeros((len(words), 1), np.int64)
        inside = np.ones((len(words), 1), bool)
        for axis in range(_AXES - 1):  # along the last axis, cells lie one behind the other
            cells = low[:, axis, None] + np.arange(int((high - low)[:, axis].max(initial=0)) + 1)
            row = (row[:, :, None] + (cells * self._steps[axis])[:, None]).reshape(len(words), -1)
            inside = (inside[:, :, None] & (cells <= high[:, axis, None])[:, None]).reshape(len(words), -1)
        asked, place = np.nonzero(inside)
        row = row[asked, place]
        begin = self._starts[row + low[asked, -1]].astype(np.int64)
        count = self._starts[row + high[asked, -1] + 1] - begin
        filled = np.flatnonzero(count)
        return asked[filled], begin[filled], count[filled]


def pairs_within(words: Words) -> tuple[Ints, Ints]:
    """(one, later one) of all pairs of a few thousand words that may match, by the first, each compared with each."""
    found = [np.empty((2, 0), np.int64)]
    for start in range(0, len(words), SOME):
        hits = np.flatnonzero(may_match(words[start : start + SOME, None], words[None, start:]))
        one, other = np.divmod(hits, len(words) - start)
        found.append(start + np.stack([one, other])[:, other > one])
    one, other = np.concatenate(found, axis=1)
    return one, other
