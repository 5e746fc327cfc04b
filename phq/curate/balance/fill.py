"""Distributing a mass over nested bins as evenly as a cap on each sample allows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from phq.system.arrays import Doubles, Ints

Shares = Callable[[Ints, Ints], Doubles]
"""Occupied bins and the number of samples in each → relative share of each bin."""


def fill(total: float, shares: Doubles, capacities: Doubles) -> Doubles:
    """(B,) masses in proportion to `shares`, none over its capacity, that add up to `total`.

    What a full bin cannot take goes to the others in proportion (water-filling): the masses are
    min(capacity, level · share) at the level for which they add up. If all are full, they are the capacities.

    Args:
        total: mass to distribute.
        shares: (B,) relative shares.
        capacities: (B,) largest masses.
    """
    full_at = np.divide(capacities, shares, out=np.full(len(shares), np.inf), where=shares > 0)
    order = np.argsort(full_at, kind="stable")
    taken = np.concatenate([[0.0], np.cumsum(capacities[order])])[:-1]  # by bins that are full before this one
    rest = np.cumsum(shares[order][::-1])[::-1]
    levels = np.divide(total - taken, rest, out=np.zeros(len(rest)), where=rest > 0)
    open_ = np.flatnonzero(levels <= full_at[order])
    level = levels[open_[0]] if len(open_) else np.inf
    masses: Doubles = np.minimum(capacities, level * shares, out=np.zeros(len(shares)), where=shares > 0)
    return masses


def spread(total: float, cells: Ints, cap: float, first: Shares) -> Doubles:
    """(N,) weights that add up to `total`, none over `cap`.

    The mass goes to the bins of the first level by the shares that `first` gives, within each of these to the occupied
    bins of the next level evenly, and so on; samples of one cell weigh the same.

    Args:
        total: at most N · cap.
        cells: (N, L) bin of each sample at each level.
        cap: largest weight of a sample.
        first: shares of the bins of the first level.
    """
    weights = np.zeros(len(cells))

    def deal(rows: Ints, level: int, mass: float) -> None:
        if level == cells.shape[1]:
            weights[rows] = mass / len(rows)
            return
        bins, place, counts = np.unique(cells[rows, level], return_inverse=True, return_counts=True)
        shares = np.ones(len(bins)) if level else first(bins, counts)
        masses = fill(mass, shares, np.asarray(counts * cap, np.float64))
        parts = np.split(rows[np.argsort(place, kind="stable")], np.cumsum(counts)[:-1])
        for part, own in zip(parts, masses.tolist(), strict=True):
            deal(part, level + 1, own)

    if len(cells):
        deal(np.arange(len(cells)), 0, total)
    return weights


def draw(weights: Doubles, cells: Ints, seed: int) -> NDArray[np.bool_]:
    """(N,) which samples are drawn: each with its weight as probability, as many in all as the sum of the weights.

    Systematic sampling (Madow 1949) over the nested bins, so that each gets its share to within two samples; the order
    at every level is random, since regular steps could favour some bins.

    Args:
        weights: (N,) 0 to 1; the sum is a whole number.
        cells: as for `spread`.
        seed: random seed of the start and the orders.
    """
    words = np.random.Philox(key=np.array([seed, 0], np.uint64))
    keys = [words.random_raw(len(weights))]
    for levels in range(cells.shape[1], 0, -1):
        _, place = np.unique(cells[:, :levels], axis=0, return_inverse=True)
        keys.append(words.random_raw(len(weights))[place.ravel()])
    order = np.lexsort(keys)
    start = (int(words.random_raw()) >> 11) * 2.0**-53
    ends = np.cumsum(weights[order])
    ends *= np.rint(ends[-1]) / ends[-1]
    hits = np.diff(np.floor(np.round(ends, 9) + start), prepend=np.floor(start))
    drawn = np.zeros(len(weights), bool)
    drawn[order] = hits > 0
    return drawn
