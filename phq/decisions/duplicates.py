"""Duplicates among samples: the same photo twice, the same stored image, or images that look alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from phq.decisions.hamming import HammingIndex, Words, distance, mirror_distance, popcount
from phq.decisions.signs import Signs
from phq.schema import BOX
from phq.system.arrays import Ints

COLUMNS = (
    "key", "source_path", "source_sha256", "person_index", *BOX,
    "source_px_per_px", "blur", "phash", "phash_mirror", "appearance",
)  # fmt: skip
"""Fields of `phq.schema.Sample` that `find_duplicates` needs, beside `POINTS`."""
POINTS = "upper_landmarks"
"""Column with `phq.decisions.signs.upper_landmarks`."""
RANK = ("key", "source_path", "person_index", "source_px_per_px", "blur")
"""Fields that `best_first` needs."""
_TYPES = {
    **dict.fromkeys(("key", "source_path", "source_sha256", "phash", "phash_mirror"), pa.string()),
    "person_index": pa.int64(),
    "appearance": pa.list_(pa.float64()),
    POINTS: pa.list_(pa.float32()),
}
BLOCK = 4096
STRIP = 256
SAME_BOX = 0.9
"""Intersection over union from which two boxes of one photo are one person found twice."""


@dataclass(frozen=True)
class Duplicate:
    """The sample that another repeats, and the evidence."""

    kept: int
    """Row number of the sample that is kept in its place."""
    key: str
    """Key of that sample."""
    distance: int
    """Bits between their perceptual hashes, of 64, the better of plain and mirrored."""
    exact: bool
    """A copy, in photo bytes or stored image, of `kept` or of a sample that is a duplicate of `kept` (reason
    ``exact_duplicate``); false where it is only alike (``duplicate``). No two samples that are not exact
    duplicates have the same key."""


@dataclass(frozen=True)
class _Looks:
    """The columns of the perceptual search, N samples in order of preference."""

    hashes: Words
    mirrors: Words
    photo: Ints
    """Number of the photo's bytes."""
    boxes: NDArray[np.float64]
    """(N, 4) boxes in the photo."""
    signs: Signs

    def part(self, rows: Ints) -> _Looks:
        signs = self.signs.part(rows)
        return _Looks(self.hashes[rows], self.mirrors[rows], self.photo[rows], self.boxes[rows], signs)

    def alike(self, a: Ints, b: Ints, max_bits: int) -> NDArray[np.bool_]:
        """Which pairs are duplicates: the hashes are near, plain or mirrored, and the other signs agree likewise."""
        plain = popcount(self.hashes[a] ^ self.hashes[b])
        turned = mirror_distance(self.hashes[a], self.mirrors[a], self.hashes[b], self.mirrors[b])
        found = np.zeros(len(a), bool)
        for bits, mirrored in ((plain, False), (turned, True)):
            near = np.flatnonzero((bits <= max_bits) & ~found)
            found[near] = self.signs.agree(a[near], b[near], bits[near].astype(np.int64), mirrored)
        return found & self.allowed(a, b)

    def allowed(self, a: Ints, b: Ints) -> NDArray[np.bool_]:
        """Two people of one photo are no duplicates unless their boxes coincide."""
        low = np.maximum(self.boxes[a, :2], self.boxes[b, :2])
        high = np.minimum(self.boxes[a, 2:], self.boxes[b, 2:])
        shared = np.prod(np.clip(high - low, 0, None), axis=1)
        union = self._areas(a) + self._areas(b) - shared
        return np.asarray((self.photo[a] != self.photo[b]) | (shared >= SAME_BOX * union))

    def _areas(self, rows: Ints) -> NDArray[np.float64]:
        return np.asarray(np.prod(self.boxes[rows, 2:] - self.boxes[rows, :2], axis=1))


def find_duplicates(
    columns: pa.Table | Mapping[str, Sequence[Any]], max_bits: int, existing: int = 0
) -> dict[int, Duplicate]:
    """By row number, the duplicate that each sample that is not kept is; rows in ascending order.

    Samples are taken from the best to the worst: most photo pixels per stored pixel, then sharpest, then
    smallest key, then first source path and person. One that is a duplicate of an already kept sample is
    dropped in favour of the best such sample; otherwise it is kept. So no two kept samples are duplicates,
    and every dropped one is within the radius of the kept one it names (no chains, except through exact
    copies).

    *Exact*: the same stored image (key), or the same person of a photo with the same bytes. *Perceptual*: at
    most `max_bits` bits between the hash of one and the hash or mirror hash of the other, and colours and landmarks
    that agree, likewise plain or mirrored (`phq.decisions.signs`). People of one photo are perceptual duplicates only
    if their boxes coincide.

    The search is exact, and its result does not depend on the order of the rows.

    Args:
        columns: `COLUMNS` and `POINTS`, equally long; the samples that the thresholds have kept.
        max_bits: 0..16; the search grows slower with it. Hashes differ in even numbers of bits.
        existing: rows at the start that come before all others, however good those are.
    """
    table = columns if isinstance(columns, pa.Table) else _table_of(columns, (*COLUMNS, POINTS))
    order = best_first(table, existing)
    copies = _exact_copies(table, order)
    originals = order[~np.isin(order, np.fromiter(copies, np.int64, len(copies)))]
    looks = _looks(table)
    keeper = _greedy(looks.part(originals), max_bits)
    kept = {int(originals[i]): int(originals[keeper[i]]) for i in np.flatnonzero(keeper >= 0)}
    rows = {**kept, **{row: kept.get(first, first) for row, first in copies.items()}}
    a, b = np.array(list(rows), np.int64), np.array(list(rows.values()), np.int64)
    bits = distance(looks.hashes[a], looks.mirrors[a], looks.hashes[b], looks.mirrors[b])
    keys = table["key"].take(pa.array(b)).to_pylist()
    found = {
        row: Duplicate(rows[row], key, int(n), row in copies) for row, key, n in zip(rows, keys, bits, strict=True)
    }
    return dict(sorted(found.items()))


def _table_of(columns: Mapping[str, Sequence[Any]], names: Sequence[str]) -> pa.Table:
    return pa.table({name: pa.array(columns[name], _TYPES.get(name, pa.float64())) for name in names})


def best_first(columns: pa.Table | Mapping[str, Sequence[Any]], existing: int = 0) -> Ints:
    """Row numbers from the best to the worst sample, in the order that `find_duplicates` states.

    Args:
        columns: `RANK`.
        existing: rows at the start that come before all others.
    """
    table = columns if isinstance(columns, pa.Table) else _table_of(columns, RANK)
    late = pa.array(np.arange(len(table)) >= existing)
    keys = [("late", "ascending"), ("source_px_per_px", "descending"), ("blur", "descending")]
    keys += [(name, "ascending") for name in ("key", "source_path", "person_index")]
    ranked = pc.sort_indices(table.append_column("late", late), sort_keys=keys)
    return np.asarray(ranked.to_numpy(zero_copy_only=False), np.int64)


def _exact_copies(table: pa.Table, order: Ints) -> dict[int, int]:
    """Row → row of the first sample with the same image, or the same person of the same photo bytes."""
    image, person = _numbers(table["key"]), _people(table)
    often = _repeated(image) | _repeated(person)
    of_image: dict[int, int] = {}
    of_person: dict[int, int] = {}
    copies = {}
    for row in order[often[order]].tolist():  # no other shares anything
        known = of_image.get(image[row], of_person.get(person[row]))
        if known is None:
            of_image[image[row]] = of_person[person[row]] = row
        else:
            copies[row] = known
    return copies


def _repeated(numbers: Ints) -> NDArray[np.bool_]:
    """(N,) which of them occur more than once."""
    _, inverse, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    return np.asarray(counts[inverse] > 1)


def _numbers(column: pa.ChunkedArray) -> Ints:
    """(N,) from 0, the same number for the same value."""
    codes = pc.dictionary_encode(pa.chunked_array(column).combine_chunks())
    return np.asarray(codes.indices.to_numpy(zero_copy_only=False), np.int64)


def _people(table: pa.Table) -> Ints:
    """(N,) the same number for the same person of the same photo bytes."""
    photo, index = _numbers(table["source_sha256"]), _numbers(table["person_index"])
    return photo * (int(index.max(initial=0)) + 1) + index


def _looks(table: pa.Table) -> _Looks:
    boxes = np.stack([table[name].to_numpy() for name in BOX], axis=1)
    photo = _numbers(table["source_sha256"])
    signs = Signs.of(_lists(table["appearance"]), _lists(table[POINTS]))
    return _Looks(words(table["phash"].to_pylist()), words(table["phash_mirror"].to_pylist()), photo, boxes, signs)


def _lists(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """All numbers of a column of lists, one after the other."""
    return np.asarray(pc.list_flatten(pa.chunked_array(column).combine_chunks()))


def words(hashes: Sequence[str]) -> Words:
    """(N,) hashes of 16 hex digits as numbers."""
    return np.frombuffer(bytes.fromhex("".join(hashes)), ">u8").astype(np.uint64)


def _greedy(looks: _Looks, max_bits: int) -> Ints:
    """(N,) number of the best kept sample within the radius, −1 for a kept one.

    Block by block: the block is compared pair by pair, then what it keeps drops its neighbours among all later
    samples. Only kept samples search, so thousands of near-identical images cost no more than one.
    """
    keeper = np.full(len(looks.hashes), -1, np.int64)
    for start in range(0, len(keeper), BLOCK):
        block = start + np.flatnonzero(keeper[start : start + BLOCK] < 0)
        keeper[block] = _within(looks, block, max_bits)
        later = start + BLOCK + np.flatnonzero(keeper[start + BLOCK :] < 0)
        keeper[later] = _against(looks, block[keeper[block] < 0], later, max_bits)
    return keeper


def _within(looks: _Looks, rows: Ints, max_bits: int) -> Ints:
    """`_greedy` of a few thousand samples, each compared with each."""
    keeper = np.full(len(rows), -1, np.int64)
    part = looks.part(rows)
    for start in range(0, len(rows), STRIP):
        strip = slice(start, start + STRIP)
        bits = distance(part.hashes[strip, None], part.mirrors[strip, None], part.hashes, part.mirrors)
        a, b = np.nonzero(np.triu(bits <= max_bits, k=start + 1))
        a += start
        usable = part.alike(a, b, max_bits)
        a, b = a[usable], b[usable]
        for one in np.unique(a):
            if keeper[one] < 0:
                worse = b[slice(*np.searchsorted(a, [one, one + 1]))]
                keeper[worse[keeper[worse] < 0]] = one
    return np.where(keeper < 0, -1, rows[keeper])


def _against(looks: _Looks, kept: Ints, later: Ints, max_bits: int) -> Ints:
    """For each of `later`, the first of `kept` within the radius, or −1."""
    none = len(looks.hashes)
    best = np.full(len(later), none, np.int64)
    hashes, mirrors = looks.hashes[later], looks.mirrors[later]
    for words, queries in ((hashes, [looks.hashes, looks.mirrors]), (mirrors, [looks.hashes])):
        index = HammingIndex(words, max_bits)
        for query in queries:
            for a, b in index.near(query[kept]):
                usable = looks.alike(kept[a], later[b], max_bits)
                np.minimum.at(best, b[usable], kept[a[usable]])
    return np.where(best == none, -1, best)
