"""Duplicates among samples: the same photo twice, the same stored image, or images that look alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from phq.decisions import copies
from phq.decisions.copies import Photos
from phq.decisions.hamming import HammingIndex, Words, distance, mirror_distance, popcount
from phq.decisions.numbered import key_numbers, lists, numbered, words
from phq.decisions.signs import NUMBERS as POINT_NUMBERS
from phq.decisions.signs import Signs
from phq.detect.boxes import paired_iou
from phq.quality.appearance import NUMBERS as LOOK_NUMBERS
from phq.schema import BOX
from phq.system.arrays import Bools, Doubles, Ints, Rows

COLUMNS = (
    *copies.COLUMNS, "key", "person_index", "source_px_per_px", "blur", "phash", "phash_mirror", "appearance",
)  # fmt: skip
"""Fields of `phq.schema.Sample` that `find_duplicates` needs, beside `POINTS`."""
POINTS = "upper_landmarks"
"""Column with `phq.decisions.signs.upper_landmarks`."""
RANK = ("key", "source_path", "person_index", "source_px_per_px", "blur")
"""Fields that `best_first` needs."""
_TYPES = {
    **dict.fromkeys(("key", "source_path", "source_sha256", "phash", "phash_mirror", "photo_phash"), pa.string()),
    **dict.fromkeys(("person_index", "image_width", "image_height"), pa.int64()),
    "appearance": pa.list_(pa.float64()),
    POINTS: pa.list_(pa.float32()),
}
BLOCK = 2048
STRIP = 128
FANOUT = 16
"""Parts of a large set of samples: each drops its duplicates among all later parts before those are looked at."""
QUERIES = 1 << 13
"""Kept samples that search at a time; bounds the memory."""
TOGETHER = 1 << 15
"""Pairs with near hashes whose other signs are compared together."""
SAME_BOX = 0.9
"""Intersection over union from which two boxes of one photo are one person found twice."""


@dataclass(frozen=True)
class Duplicates:
    """M samples that repeat another, and the evidence; rows in ascending order."""

    rows: Ints
    """(M,) row numbers."""
    kept: Ints
    """(M,) row number of the sample that is kept in place of each."""
    bits: Ints
    """(M,) bits between their perceptual hashes, of 64, the fewer of plain and mirrored."""
    exact: Bools
    """(M,) a copy, in photo bytes or stored image, of `kept` or of a sample that is a duplicate of `kept` (reason
    ``exact_duplicate``); false where it is only alike (``duplicate``). No two samples that are not exact
    duplicates have the same key."""
    photo_bits: Ints
    """(M,) bits between the hashes of the two photos, of 256, where these decided; −1 where the samples' own did."""


@dataclass(frozen=True)
class _Looks:
    """The columns of the perceptual search, N samples in order of preference."""

    row: Rows
    """Row number in the table."""
    hashes: Words
    mirrors: Words
    boxes: Sequence[Doubles]
    """The four edges in the photo, of all rows of the table."""
    signs: Signs
    """Of all rows of the table."""
    photos: Photos
    """Of all rows of the table."""

    def part(self, rows: Ints | slice) -> _Looks:
        """Some of them."""
        of = self.row[rows], self.hashes[rows], self.mirrors[rows]
        return _Looks(*of, self.boxes, self.signs, self.photos)

    def alike(self, a: Rows, b: Rows, max_bits: int) -> Bools:
        """Which pairs are duplicates: by the crops, or by the photos."""
        found = self.same_crop(a, b, max_bits)
        rest = np.flatnonzero(~found)
        found[rest] = self.photos.copied(self.row[a[rest]], self.row[b[rest]], self.signs) >= 0
        return found

    def same_crop(self, a: Rows, b: Rows, max_bits: int) -> Bools:
        """Of which pairs the hashes are near, plain or mirrored, and the other signs agree likewise."""
        plain = popcount(self.hashes[a] ^ self.hashes[b])
        turned = mirror_distance(self.hashes[a], self.mirrors[a], self.hashes[b], self.mirrors[b])
        found = np.zeros(len(a), bool)
        for bits, mirrored in ((plain, False), (turned, True)):
            if len(near := np.flatnonzero((bits <= max_bits) & ~found)):
                one, other = self.row[a[near]], self.row[b[near]]
                found[near] = self.signs.agree(one, other, bits[near].astype(np.int64), mirrored)
        if len(agreeing := np.flatnonzero(found)):
            found[agreeing] = self.allowed(a[agreeing], b[agreeing])
        return found

    def allowed(self, a: Rows, b: Rows) -> Bools:
        """Two people of one photo are no duplicates unless their boxes coincide."""
        one, other = (self.photos.photo[self.row[rows]] for rows in (a, b))
        return np.asarray((one != other) | (paired_iou(self._boxes(a), self._boxes(b)) >= SAME_BOX))

    def _boxes(self, rows: Rows) -> Doubles:
        return np.stack([edge[self.row[rows]] for edge in self.boxes], axis=1)


def find_duplicates(
    columns: pa.Table | Mapping[str, Sequence[Any]], max_bits: int, existing: int = 0, apart: bool = False
) -> Duplicates:
    """The samples that are not kept.

    Samples are taken from the best to the worst: most photo pixels per stored pixel, then sharpest, then
    smallest key, then first source path and person. One that is a duplicate of an already kept sample is
    dropped in favour of the best such sample; otherwise it is kept. So no two kept samples are duplicates,
    and every dropped one is within the radius of the kept one it names (no chains, except through exact
    copies).

    *Exact*: the same stored image (key), or the same person of a photo with the same bytes. *Perceptual*: at
    most `max_bits` bits between the hash of one and the hash or mirror hash of the other, and colours and landmarks
    that agree, likewise plain or mirrored (`phq.decisions.signs`); or two copies of one photo, with the person at the
    same place (`phq.decisions.copies`). People of one photo are perceptual duplicates only if their boxes coincide.

    The search is exact, and its result does not depend on the order of the rows. In memory are some 130 bytes a sample;
    colours and landmarks are looked up where the hashes are near.

    Args:
        columns: `COLUMNS` and `POINTS`, equally long; the samples that the thresholds have kept.
        max_bits: 0..16; the search grows slower with it. Hashes differ in even numbers of bits.
        existing: rows at the start that come before all others, however good those are.
        apart: none of these is a duplicate of another of them, so they are not compared among themselves.
    """
    table = columns if isinstance(columns, pa.Table) else _table_of(columns, (*COLUMNS, POINTS))
    photo = numbered(table["source_sha256"])
    order = best_first(table, existing)
    rows, kept = _exact_copies(table, order, photo)
    exact = np.zeros(len(table), bool)
    exact[rows] = True
    order = order[~exact[order]].astype(np.int32)
    photos = Photos.of(table, photo.astype(np.int32))
    del photo
    a, b = _perceptual(_looks(table, photos, order), int((order < existing).sum()) if apart else 0, max_bits)
    keeper = np.full(len(table), -1, np.int64)
    keeper[a] = b
    keeper[rows] = np.where(keeper[kept] < 0, kept, keeper[kept])
    a = np.flatnonzero(keeper >= 0)
    pairs = _looks(table, photos, np.concatenate([a, keeper[a]]))
    one, other = np.split(np.arange(2 * len(a)), 2)
    bits = distance(pairs.hashes[one], pairs.mirrors[one], pairs.hashes[other], pairs.mirrors[other]).astype(np.int64)
    return Duplicates(a, keeper[a], bits, exact[a], _photo_bits(pairs, one, other, exact[a], max_bits))


def _perceptual(looks: _Looks, known: int, max_bits: int) -> tuple[Rows, Rows]:
    """Rows, and for each the row of the best kept sample within the radius; the first `known` samples are all kept."""
    keeper = _after(looks, known, max_bits) if known else _greedy(looks, max_bits)
    dropped = np.flatnonzero(keeper >= 0)
    return looks.row[dropped], looks.row[keeper[dropped]]


def _photo_bits(looks: _Looks, a: Ints, b: Ints, exact: Bools, max_bits: int) -> Ints:
    found = np.full(len(a), -1, np.int64)
    rest = np.flatnonzero(~exact)
    rest = rest[~looks.same_crop(a[rest], b[rest], max_bits)]
    found[rest] = looks.photos.copied(looks.row[a[rest]], looks.row[b[rest]], looks.signs)
    return found


def _table_of(columns: Mapping[str, Sequence[Any]], names: Sequence[str]) -> pa.Table:
    return pa.table({name: pa.array(columns[name], _TYPES.get(name, pa.float64())) for name in names})


def best_first(columns: pa.Table | Mapping[str, Sequence[Any]], existing: int = 0) -> Ints:
    """Row numbers from the best to the worst sample, in the order that `find_duplicates` states.

    Args:
        columns: `RANK`.
        existing: rows at the start that come before all others.
    """
    table = columns if isinstance(columns, pa.Table) else _table_of(columns, RANK)
    late = np.arange(len(table)) >= existing
    keys, sharp, large = key_numbers(table["key"]), *(-table[name].to_numpy() for name in ("blur", "source_px_per_px"))
    order = np.lexsort((keys, sharp, large, late))
    _by_path(table, order, [column[order] for column in (late, large, sharp, keys)])
    return order


def _by_path(table: pa.Table, order: Ints, ranks: Sequence[NDArray[Any]]) -> None:
    """Order those that are equal so far, such as copies of one image, by path and person; in place.

    Args:
        table: `RANK`.
        order: (N,) row numbers.
        ranks: (N,) each, the columns that they are ordered by.
    """
    equal = np.all([column[1:] == column[:-1] for column in ranks], axis=0)
    starts = np.flatnonzero(np.diff(np.concatenate([[0], equal, [0]]).astype(np.int8)) == 1)
    stops = np.flatnonzero(np.diff(np.concatenate([[0], equal, [0]]).astype(np.int8)) == -1) + 1
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        rows = order[start:stop]
        some = table.select(["source_path", "person_index"]).take(pa.array(rows)).to_pydict()
        names = [(path.encode(), person) for path, person in zip(*some.values(), strict=True)]
        order[start:stop] = rows[sorted(range(len(rows)), key=lambda n: names[n])]


def _exact_copies(table: pa.Table, order: Ints, photo: Ints) -> tuple[Ints, Ints]:
    """Rows, and for each the row of the first sample with the same image, or the same person of the same photo."""
    image, index = key_numbers(table["key"]), table["person_index"].to_numpy()
    person = photo * (int(index.max(initial=0)) + 1) + index
    often = _repeated(image) | _repeated(person)
    of_image: dict[int, int] = {}
    of_person: dict[int, int] = {}
    copies = {}
    for row in order[often[order]].tolist():  # no other shares anything
        known = of_image.get(int(image[row]), of_person.get(int(person[row])))
        if known is None:
            of_image[int(image[row])] = of_person[int(person[row])] = row
        else:
            copies[row] = known
    return np.fromiter(copies, np.int64, len(copies)), np.fromiter(copies.values(), np.int64, len(copies))


def _repeated(numbers: NDArray[Any]) -> Bools:
    """(N,) which of them occur more than once."""
    order = np.argsort(numbers, kind="stable")
    equal = numbers[order[1:]] == numbers[order[:-1]]
    found = np.zeros(len(numbers), bool)
    found[order[1:][equal]] = found[order[:-1][equal]] = True
    return found


def _looks(table: pa.Table, photos: Photos, rows: Rows) -> _Looks:
    """Of some rows, in that order."""
    boxes = [table[name].to_numpy() for name in BOX]
    signs = Signs.of(lists(table["appearance"], LOOK_NUMBERS), lists(table[POINTS], POINT_NUMBERS))
    hashes, mirrors = (words(table[name])[rows] for name in ("phash", "phash_mirror"))
    return _Looks(rows, hashes, mirrors, boxes, signs, photos)


def _greedy(looks: _Looks, max_bits: int) -> Rows:
    """(N,) number of the best kept sample within the radius, −1 for a kept one.

    Part by part: a part is searched by itself, then what it keeps drops its neighbours among all later samples. Only
    kept samples search, so thousands of near-identical images cost no more than one.
    """
    count = len(looks.row)
    if count <= BLOCK:
        return _within(looks, max_bits)
    keeper = np.full(count, -1, np.int32)
    size = max(BLOCK, -(-count // FANOUT))
    for start in range(0, count, size):
        part = start + np.flatnonzero(keeper[start : start + size] < 0)
        found = _greedy(looks.part(part), max_bits)
        dropped = found >= 0
        keeper[part[dropped]] = part[found[dropped]]
        later = (start + size + np.flatnonzero(keeper[start + size :] < 0)).astype(np.int32)
        keeper[later] = _against(looks, part[~dropped], later, max_bits)
    return keeper


def _after(looks: _Looks, known: int, max_bits: int) -> Rows:
    """`_greedy` where the first `known` samples are all kept."""
    keeper = np.full(len(looks.row), -1, np.int32)
    keeper[known:] = _against(looks, np.arange(known), np.arange(known, len(keeper)), max_bits)
    rest = known + np.flatnonzero(keeper[known:] < 0)
    found = _greedy(looks.part(rest), max_bits)
    dropped = found >= 0
    keeper[rest[dropped]] = rest[found[dropped]]
    return keeper


def _within(looks: _Looks, max_bits: int) -> Rows:
    """`_greedy` of a few samples, each compared with each."""
    keeper = np.full(len(looks.row), -1, np.int32)
    for start in range(0, len(keeper), STRIP):
        one, rest = slice(start, start + STRIP), slice(start, None)
        hashes, mirrors = looks.hashes[one, None], looks.mirrors[one, None]
        near = popcount(hashes ^ looks.hashes[rest]) <= max_bits
        near |= popcount(mirrors ^ looks.hashes[rest]) <= max_bits
        near |= popcount(hashes ^ looks.mirrors[rest]) <= max_bits
        near |= looks.photos.near_each(looks.row[one], looks.row[rest])
        a, b = np.divmod(np.flatnonzero(near), near.shape[1])
        later = b > a
        if not later.any():
            continue
        a, b = a[later] + start, b[later] + start
        usable = looks.alike(a, b, max_bits)
        a, b = a[usable], b[usable]
        for first in np.unique(a):
            if keeper[first] < 0:
                worse = b[slice(*np.searchsorted(a, [first, first + 1]))]
                keeper[worse[keeper[worse] < 0]] = first
    return keeper


def _against(looks: _Looks, kept: Ints, later: Rows, max_bits: int) -> Rows:
    """For each of `later`, the first of `kept` within the radius, or −1."""
    none = len(looks.row)
    best = np.full(len(later), none, np.int32)
    for a, b in _collected(_candidates(looks, kept, later, max_bits)):
        usable = looks.alike(kept[a], later[b], max_bits)
        np.minimum.at(best, b[usable], kept[a[usable]].astype(np.int32))
    return np.where(best == none, -1, best)


def _collected(pieces: Iterable[tuple[Ints, Ints]]) -> Iterator[tuple[Ints, Ints]]:
    """The same pairs in fewer pieces, none of them empty."""
    waiting: list[tuple[Ints, Ints]] = []
    count = 0
    for piece in pieces:
        if len(piece[0]):
            waiting.append(piece)
            count += len(piece[0])
        if count >= TOGETHER:
            yield _joined(waiting)
            waiting, count = [], 0
    if waiting:
        yield _joined(waiting)


def _joined(pieces: Sequence[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
    one, other = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    return one, other


def _candidates(looks: _Looks, kept: Ints, later: Rows, max_bits: int) -> Iterator[tuple[Ints, Ints]]:
    """Pieces of (index in `kept`, index in `later`): all that may be alike, some repeatedly."""
    if len(later) < len(kept):  # nearness is mutual: the fewer ask
        yield from ((a, b) for b, a in _near(looks, later, kept, max_bits))
    else:
        yield from _near(looks, kept, later, max_bits)


def _near(looks: _Looks, asking: Rows, among: Rows, max_bits: int) -> Iterator[tuple[Ints, Ints]]:
    for hashes, queries in ((looks.hashes, [looks.hashes, looks.mirrors]), (looks.mirrors, [looks.hashes])):
        yield from HammingIndex(hashes[among], max_bits).near([query[asking] for query in queries], QUERIES)
    yield from looks.photos.near(looks.row[asking], looks.row[among], QUERIES)
