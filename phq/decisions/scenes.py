"""Samples of one person in one scene: the comparison of two samples, and the search."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import chain

import numpy as np
from scipy.spatial import cKDTree

from phq.decisions.hamming import Words, distance
from phq.quality.appearance import MIRRORED
from phq.system.arrays import Bools, Doubles, Floats, Ints

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
class Seen:
    """The columns that N samples are compared by, the best first."""

    looks: Doubles
    """(N, regions, 6) of `phq.quality.appearance`."""
    body: Doubles
    """(N,) of `phq.decisions.groups.proportions`."""
    hashes: Words
    mirrors: Words
    photo: Ints
    """(N,) number of the photo's bytes."""
    person: Ints
    """(N,) number of the stated name, 0 without one."""
    faces: Floats
    """(N, D) unit embeddings, NaN where there is none; D may be 0."""
    same_face: Doubles
    """(N,) least cosine of two embeddings of one person."""

    def part(self, rows: Ints) -> Seen:
        """Some of them."""
        return Seen(*(getattr(self, field.name)[rows] for field in fields(self)))

    def places(self) -> Doubles:
        """(N, 6) mean colours of the clothes and of the whole background: the same for a mirror image."""
        return np.column_stack([self.looks[:, 1, :3], self.looks[:, 2:, :3].mean(1)])

    def apart(self, one: Ints, other: Ints) -> Doubles:
        """(M,) distance of M pairs' colours, plain or mirrored, in units of what still counts as the same; ∞ where they
        do not match.

        Args:
            one: (M,) rows, the better of each pair.
            other: (M,) rows.
        """
        there = self.looks[one]
        off = np.minimum(*(_colours_apart(self.looks[other][:, order], there) for order in (range(4), MIRRORED)))
        bits = distance(self.hashes[other], self.mirrors[other], self.hashes[one], self.mirrors[one])
        plain = self.looks[other, 2:, 3].max(1) < FLAT
        with np.errstate(invalid="ignore"):  # ∞ where a body has no proportions: it is like no other
            alike = (np.abs(self.body[one] - self.body[other]) <= SAME_BODY) & ((bits <= LIKELY_BITS) | ~plain)
        cosine, same = _cosines(self.faces, one, other), self.same_face[one]
        fits = ((off <= 1) & (alike | (cosine >= same))) | ((off <= 2) & (bits <= SURE_BITS))
        named = (self.person[one] > 0) & (self.person[other] > 0) & (self.person[one] != self.person[other])
        against = (self.photo[one] == self.photo[other]) | named | (cosine < same)
        return np.where(fits & ~against, off, np.inf)


def _colours_apart(one: Doubles, other: Doubles) -> Doubles:
    """(M,) largest distance of mean or spread of any region."""
    off = (one - other) ** 2
    mean, spread = off[..., :3].sum(-1), off[..., 3:].sum(-1)
    return np.asarray(np.sqrt(np.maximum(mean / SAME_COLOUR**2, spread / SAME_SPREAD**2).max(-1)))


def _cosines(faces: Floats, one: Ints, other: Ints) -> Doubles:
    """(M,) of the embeddings of pairs; NaN, which compares as neither, where one has none."""
    if not faces.shape[1]:
        return np.full(len(one), np.nan)
    return np.asarray(np.einsum("nd,nd->n", faces[one], faces[other]))


def leaders_of(seen: Seen) -> Ints:
    """(N,) for each sample the leader that it follows, −1 where it leads or is alone.

    From the best to the worst, a sample follows the nearest (`Seen.apart`; of equals the best) of the leaders before it
    that it matches, or else leads. Two can only match whose `Seen.places` are within `SAME_COLOUR` along each axis.

    Block by block: those of a block that follow no earlier leader are compared among themselves, then the new leaders
    find their followers among all that come later. A k-d tree gives the pairs; only leaders search, so thousands of
    pictures of one scene cost no more than one.
    """
    places = seen.places()
    leader, off = np.full(len(places), -1, np.int64), np.full(len(places), np.inf)
    for start in range(0, len(places), BLOCK):
        free = start + np.flatnonzero(leader[start : start + BLOCK] < 0)
        leading = free[_leading(seen.part(free), places[free])]
        for one, other in _near(places, leading, start):
            _follow(seen, one, other, leader, off)
    return leader


def _leading(seen: Seen, places: Doubles) -> Bools:
    """(N,) which of a block's samples match no leader before them, all compared with all."""
    leads = np.ones(len(places), bool)
    pairs = cKDTree(places).query_pairs(SAME_COLOUR, p=np.inf, output_type="ndarray")
    matches = np.empty(len(pairs), bool)
    for start in range(0, len(pairs), PIECE):
        part = pairs[start : start + PIECE]
        matches[start : start + PIECE] = np.isfinite(seen.apart(part[:, 0], part[:, 1]))
    pairs = pairs[matches]
    pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    for one in np.unique(pairs[:, 0]):
        if leads[one]:
            leads[pairs[slice(*np.searchsorted(pairs[:, 0], [one, one + 1])), 1]] = False
    return leads


def _near(places: Doubles, leading: Ints, start: int) -> Iterator[tuple[Ints, Ints]]:
    """(leader, later sample) of all pairs near enough, some `PIECE` at a time; leaders ascend from `start` on."""
    tree = cKDTree(places[start:])
    done, step = 0, 1
    while done < len(leading):
        some = leading[done : done + step]
        found = tree.query_ball_point(places[some], SAME_COLOUR, p=np.inf, return_sorted=True)
        one = np.repeat(some, [len(rows) for rows in found])
        other = start + np.fromiter(chain.from_iterable(found), np.int64, len(one))
        later = other > one
        one, other = one[later], other[later]
        for piece in range(0, len(one), PIECE):
            yield one[piece : piece + PIECE], other[piece : piece + PIECE]
        done += step
        step = min(BLOCK, max(1, step * PIECE // max(1, len(later))))  # as many leaders as give a piece


def _follow(seen: Seen, one: Ints, other: Ints, leader: Ints, off: Doubles) -> None:
    """Update `leader` and `off` of the samples that are nearer to one of these leaders than to all before."""
    apart = seen.apart(one, other)
    nearest = np.lexsort((one, apart, other))
    nearest = nearest[np.isfinite(apart[nearest])]
    nearest = nearest[np.unique(other[nearest], return_index=True)[1]]
    nearer = nearest[apart[nearest] < off[other[nearest]]]
    leader[other[nearer]], off[other[nearer]] = one[nearer], apart[nearer]
