"""Samples of one person in one scene: the comparison of two samples, and the search."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phq.decisions.colour_grid import ColourGrid, pairs_within
from phq.decisions.hamming import Words, distance
from phq.quality.appearance import MIRRORED
from phq.system.arrays import Bools, Doubles, Floats, Ints, Rows, Singles

SAME_COLOUR = 6.0
"""Largest distance of mean colours in L*a*b* of any region; 2.3 is just noticeable."""
SAME_SPREAD = 6.0
"""Largest distance of the colours' standard deviations."""
FLAT = 4.0
"""Standard deviation of L* below which a background proves nothing: every studio has a plain wall."""
LIKELY_BITS = 16
"""Bits between two hashes up to which people who match in everything else are the same picture cut differently."""
SURE_BITS = 12
"""Bits up to which the body's proportions need not agree, and colours half as well: a crop that was cut differently."""
SAME_BODY = 0.25
"""Largest difference of the logarithm of shoulder width over torso length."""
BLOCK = 2048
"""Samples that are compared among themselves before the leaders among them look for followers."""
PIECE = 1 << 16
"""Pairs compared at a time; bounds the memory to some tens of MB."""


@dataclass(frozen=True)
class Faces:
    """Face embeddings of some of N samples."""

    of_row: Ints
    """(N,) place of each sample's embedding among `units`, −1 without one."""
    units: Singles
    """(M, D) of unit length."""
    same: float
    """Least cosine of two of one person."""

    @staticmethod
    def of(count: int, rows: Ints, vectors: Floats, same: float) -> Faces:
        """Of `count` samples.

        Args:
            count: N.
            rows: (M,) those that have an embedding.
            vectors: (M, D) of any length but 0.
            same: least cosine of two of one person.
        """
        of_row = np.full(count, -1, np.int64)
        of_row[rows] = np.arange(len(rows))
        with np.errstate(invalid="ignore", divide="ignore"):
            units = np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)
        return Faces(of_row, units, same)

    def cosines(self, one: Rows, other: Rows) -> Doubles:
        """(P,) of pairs of rows; NaN, which compares as neither, where one has none."""
        a, b = self.of_row[one], self.of_row[other]
        found, both = np.full(len(one), np.nan), np.flatnonzero((a >= 0) & (b >= 0))
        found[both] = np.einsum("nd,nd->n", self.units[a[both]], self.units[b[both]])
        return found


@dataclass(frozen=True)
class Seen:
    """The columns that N samples are compared by, the best first."""

    row: Rows
    """(N,) row number in the table."""
    words: Words
    """(N,) of `phq.decisions.colour_grid.coarse`."""
    body: Doubles
    """(N,) of `phq.decisions.groups.proportions`."""
    hashes: Words
    mirrors: Words
    photo: Rows
    """(N,) number of the photo's bytes."""
    person: Rows
    """(N,) number of the stated name, 0 without one."""
    looks: Floats
    """(rows, regions, 6) of `phq.quality.appearance`, of all rows of the table; it may lie on a disk."""
    faces: Faces | None
    """Of all rows of the table."""

    def part(self, rows: Ints) -> Seen:
        """Some of them."""
        return Seen(
            self.row[rows], self.words[rows], self.body[rows], self.hashes[rows], self.mirrors[rows], self.photo[rows],
            self.person[rows], self.looks, self.faces,
        )  # fmt: skip

    def apart(self, one: Ints, other: Ints) -> Doubles:
        """(M,) distance of M pairs' colours, plain or mirrored, in units of what still counts as the same; ∞ where they
        do not match.

        Args:
            one: (M,) rows, the better of each pair.
            other: (M,) rows.
        """
        here, there = self.looks[self.row[other]], self.looks[self.row[one]]
        near = np.flatnonzero(_near_places(here, there))
        here, there = here[near], there[near]
        off = np.minimum(*(_colours_apart(here[:, order], there) for order in (range(4), MIRRORED)))
        few = np.flatnonzero(off <= 2)
        near, plain = near[few], here[few][:, 2:, 3].max(1, initial=0) < FLAT
        found = np.full(len(one), np.inf)
        found[near] = np.where(self._fit(one[near], other[near], off[few], plain), off[few], np.inf)
        return found

    def _fit(self, one: Ints, other: Ints, off: Doubles, plain: Bools) -> Bools:
        """(M,) whether all else lets M pairs match.

        Args:
            one: (M,) rows.
            other: (M,) rows.
            off: (M,) distance of the colours.
            plain: (M,) whether the background of `other` proves nothing.
        """
        bits = distance(self.hashes[other], self.mirrors[other], self.hashes[one], self.mirrors[one])
        with np.errstate(invalid="ignore"):  # ∞ where a body has no proportions: it is like no other
            alike = (np.abs(self.body[one] - self.body[other]) <= SAME_BODY) & ((bits <= LIKELY_BITS) | ~plain)
        cosine, same = np.full(len(one), np.nan), 1.0
        if self.faces is not None:
            cosine, same = self.faces.cosines(self.row[one], self.row[other]), self.faces.same
        fits = ((off <= 1) & (alike | (cosine >= same))) | ((off <= 2) & (bits <= SURE_BITS))
        named = (self.person[one] > 0) & (self.person[other] > 0) & (self.person[one] != self.person[other])
        against = (self.photo[one] == self.photo[other]) | named | (cosine < same)
        return np.asarray(fits & ~against)


def usable(looks: Floats) -> Bools:
    """(N,) whether every region has colours.

    Args:
        looks: (N, regions, 6) of `phq.quality.appearance`.
    """
    return np.asarray(np.abs(looks).sum(2).all(1))


def _near_places(one: Floats, other: Floats) -> Bools:
    """(M,) whether clothes and the mean background are within `SAME_COLOUR` along each axis, mirrored or not."""
    clothes = np.abs(one[:, 1, :3] - other[:, 1, :3]).max(1)
    behind = np.abs(one[:, 2:, :3].mean(1) - other[:, 2:, :3].mean(1)).max(1)
    return np.asarray(np.maximum(clothes, behind) <= SAME_COLOUR)


def _colours_apart(one: Floats, other: Floats) -> Doubles:
    """(M,) largest distance of mean or spread of any region."""
    off = (one - other) ** 2
    mean, spread = off[..., :3].sum(-1), off[..., 3:].sum(-1)
    return np.asarray(np.sqrt(np.maximum(mean / SAME_COLOUR**2, spread / SAME_SPREAD**2).max(-1)))


def leaders_of(seen: Seen, known: int = 0) -> Rows:
    """(N,) for each sample the leader that it follows, −1 where it leads or is alone.

    From the best to the worst, a sample follows the nearest (`Seen.apart`; of equals the best) of the leaders before it
    that it matches, or else leads.

    Block by block: those of a block that follow no earlier leader are compared among themselves, then the new leaders
    find their followers among all that come later. A grid gives the pairs, and is made anew for every half of what is
    left; only leaders search, so thousands of pictures of one scene cost no more than one.

    Args:
        seen: N samples.
        known: samples at the start of which only those are compared that a later one depends on; −1 for the others.
    """
    if not known:
        return _leaders(seen)
    rows = np.concatenate([_before(seen, known), np.arange(known, len(seen.row))])
    among = _leaders(seen.part(rows))
    leader = np.full(len(seen.row), -1, np.int32)
    leader[rows] = np.where(among >= 0, rows[among], -1)
    return leader


def _before(seen: Seen, known: int) -> Ints:
    """Those of the first `known` samples that the others match, that these match, and so on, in ascending order: all
    that decide who leads the others."""
    grid, found = ColourGrid(seen.words[:known], 0), np.zeros(known, bool)
    asked = np.arange(known, len(seen.row))
    while len(asked):
        matched = np.zeros(known, bool)
        for later, earlier in grid.near(seen.words, asked, earlier=True):
            matched[earlier[np.isfinite(seen.apart(earlier, later))]] = True
        asked = np.flatnonzero(matched & ~found)
        found |= matched
    return np.flatnonzero(found)


def _leaders(seen: Seen) -> Rows:
    """`leaders_of` of all."""
    count = len(seen.row)
    leader, off = np.full(count, -1, np.int32), np.full(count, np.inf)
    grid, first = None, 0
    for start in range(0, count, BLOCK):
        free = start + np.flatnonzero(leader[start : start + BLOCK] < 0)
        leading = free[_leading(seen, free)]
        if grid is None or count - start <= (count - first) // 2:
            grid, first = ColourGrid(seen.words, start), start
        for one, other in grid.near(seen.words, leading):
            _follow(seen, one, other, leader, off)
    return leader


def _leading(seen: Seen, block: Ints) -> Bools:
    """(n,) which of a block's samples match no leader before them, all compared with all."""
    leads = np.ones(len(block), bool)
    one, other = pairs_within(seen.words[block])
    matches = np.empty(len(one), bool)
    for start in range(0, len(one), PIECE):
        part = slice(start, start + PIECE)
        matches[part] = np.isfinite(seen.apart(block[one[part]], block[other[part]]))
    one, other = one[matches], other[matches]
    for leader in np.unique(one):
        if leads[leader]:
            leads[other[slice(*np.searchsorted(one, [leader, leader + 1]))]] = False
    return leads


def _follow(seen: Seen, one: Ints, other: Ints, leader: Rows, off: Doubles) -> None:
    """Update `leader` and `off` of the samples that are nearer to one of these leaders than to all before."""
    apart = seen.apart(one, other)
    nearest = np.lexsort((one, apart, other))
    nearest = nearest[np.isfinite(apart[nearest])]
    nearest = nearest[np.unique(other[nearest], return_index=True)[1]]
    nearer = nearest[apart[nearest] < off[other[nearest]]]
    leader[other[nearer]], off[other[nearer]] = one[nearer], apart[nearer]
