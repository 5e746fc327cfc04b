"""Another pair of signs of a duplicate: the whole photo is the same, and the person stands at the same place in it.

A copy of a photo is looked at by networks anew, so its crop may be cut by another fit, with another hash, other colours
and other landmarks. The photo itself hardly changes. Its 256 bits tell photos apart far better than the 64 of a crop
do: of 3.3 million pairs of photos those that are this near are of one camera within seconds. A camera that stands
still sees different people before one background, so the person must be large, at the same place, and look alike too.
A photo that was straightened is near the hash of the other one turned.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from phq.camera.angles import apart_deg
from phq.decisions.hamming import HammingIndex, Words, popcount
from phq.decisions.numbered import numbered, words
from phq.decisions.signs import Signs
from phq.detect.boxes import paired_iou
from phq.photos.frame_names import MARK, file_of
from phq.quality.hashes import PHOTO_DIGITS, PHOTO_KEPT, photo_bits
from phq.schema import BOX
from phq.system.arrays import Bools, Doubles, Ints, Rows

YAWS = ("camera_yaw_deg", "head_yaw_deg")
_SIDES = ("image_width", "image_height")
COLUMNS = ("source_path", "source_sha256", *_SIDES, *BOX, *YAWS, "photo_phash")
"""Fields of `phq.schema.Sample` that `Photos.of` needs."""
NEAR = 56
"""Most bits between the hashes of two copies of a photo: resizing, encoding and mirroring change up to 3, a turn by 2°
30 to 64, other moments of one scene 26 and more."""
TURNED_NEAR = 40
"""Most bits between one as it is and the other turned by `phq.quality.hashes.TURN_DEG`, as 97 % of copies turned by 2
to 4° are."""
SURE = 20
"""Bits up to which nothing has moved between the two."""
TURNED_DEG = 30.0, 50.0
"""Most that the yaws of torso and head may differ beyond `SURE`: somebody who has turned is no duplicate."""
LOW = 7
"""Most bits between the lowest 64, by which copies are searched."""
OVERLAP = 0.4
"""Least intersection over union of the two boxes, each in fractions of its photo."""
LARGE = 0.25
"""Least height of the box, fraction of the photo's: what is smaller hardly moves the hash."""
COLOUR = 2.5
"""Largest distance of the crops' colours, in units of the limit for crops whose hashes are near."""
_FORMS, _WORDS = 3, 4
_WAYS = (0, 0), (0, 1), (0, 2), (1, 0), (2, 0)
"""Forms of one photo and of the other that are compared: as it is, turned, and turned the other way."""
_ODD = np.zeros((PHOTO_KEPT, PHOTO_KEPT), bool)
_ODD[:, 1::2] = True
MIRROR: Words = np.frombuffer(np.packbits(photo_bits(_ODD)).tobytes(), ">u8").astype(np.uint64)
"""Bits that differ between the hashes of a photo and of its mirror image: the odd columns of the coefficients."""
_PLAIN = np.zeros(_WORDS, np.uint64)
_NONE = 255
_TOGETHER = 1 << 15
"""Rows that are read at a time."""


@dataclass(frozen=True)
class Photos:
    """The photos of N samples, and where in them each person is; all but 41 bytes a sample are read where they lie."""

    hashes: pa.ChunkedArray
    """(N,) ``photo_phash``."""
    low: Words
    """(N, 3) the lowest coefficients of each form."""
    known: Bools
    """(N,) whether there is a hash and the person is large enough."""
    edges: Sequence[NDArray[Any]]
    """(N,) each: x0, y0, x1, y1 of the box, photo pixels."""
    sides: Sequence[NDArray[Any]]
    """(N,) each: width and height of the photo, pixels."""
    photo: Rows
    """(N,) number of the photo's bytes."""
    film: Rows
    """(N,) number of the video that the photo is a frame of, 0 for none."""
    yaws: Sequence[Doubles]
    """(N,) each of `YAWS`."""

    @staticmethod
    def of(table: pa.Table, photo: Rows) -> Photos:
        """Of a table with `COLUMNS`.

        Args:
            table: N rows.
            photo: (N,) number of the photo's bytes.
        """
        sides, edges, yaws = ([table[name].to_numpy() for name in names] for names in (_SIDES, BOX, YAWS))
        low, known = _low(table["photo_phash"])
        for part in (slice(start, start + _TOGETHER) for start in range(0, len(table), _TOGETHER)):
            height = np.maximum(sides[1][part], 1)
            known[part] &= edges[3][part] / height - edges[1][part] / height >= LARGE
        return Photos(table["photo_phash"], low, known, edges, sides, photo, _films(table["source_path"]), yaws)

    def near_each(self, one: Rows, other: Rows) -> Bools:
        """(A, B) which pairs of A and B rows `near` would give."""
        found = np.zeros((len(one), len(other)), bool)
        for mine, others in _WAYS:
            off = self.low[one, mine, None] ^ self.low[other, others]
            found |= (popcount(off) <= LOW) | (popcount(off ^ MIRROR[0]) <= LOW)
        return np.asarray(found & self.known[one, None] & self.known[other])

    def near(self, kept: Rows, later: Rows, some: int) -> Iterator[tuple[Ints, Ints]]:
        """Pieces of (index in `kept`, index in `later`): all whose lowest bits are near, some repeatedly.

        Args:
            kept: rows that are looked up.
            later: rows that are searched.
            some: how many are looked up at a time.
        """
        asked, searched = (np.flatnonzero(self.known[rows]).astype(np.int32) for rows in (kept, later))
        for form in range(_FORMS):
            low = [self.low[kept[asked], mine] for mine, others in _WAYS if others == form]
            index = HammingIndex(self.low[later[searched], form], LOW)
            for a, b in index.near([word ^ flip for word in low for flip in (_PLAIN[0], MIRROR[0])], some):
                yield asked[a].astype(np.int64), searched[b].astype(np.int64)

    def copied(self, one: Rows, other: Rows, signs: Signs) -> Ints:
        """(M,) bits between the photos of pairs that are one person in two copies of a photo; −1 for all others.

        Args:
            one: (M,) rows.
            other: (M,) rows.
            signs: of the same N samples.
        """
        found = np.full(len(one), _NONE, np.int64)
        for mirrored in (False, True):
            bits = self._same_place(one, other, mirrored)
            near = np.flatnonzero(bits < _NONE)
            colour, _ = signs.apart(one[near], other[near], mirrored)
            alike = near[colour <= COLOUR]
            found[alike] = np.minimum(found[alike], bits[alike])
        return np.where(found < _NONE, found, -1)

    def _same_place(self, one: Rows, other: Rows, mirrored: bool) -> Ints:
        """(M,) bits between the photos where they, and the places of the people in them, are the same; or `_NONE`."""
        usable = self.known[one] & self.known[other] & (self.photo[one] != self.photo[other])
        usable &= (self.film[one] == 0) | (self.film[one] != self.film[other])
        bits = np.full(len(one), _NONE, np.int64)
        bits[usable] = self._bits(one[usable], other[usable], MIRROR if mirrored else _PLAIN)
        usable = bits < _NONE
        usable[usable] = self._overlap(one[usable], other[usable], mirrored) >= OVERLAP
        moved = np.flatnonzero(usable & (bits > SURE))
        usable[moved] = self._same_side(one[moved], other[moved], mirrored)
        return np.where(usable, bits, _NONE)

    def _bits(self, one: Rows, other: Rows, flip: Words) -> Ints:
        """(M,) fewest bits between any two forms of the photos that are near, or `_NONE`."""
        found = np.full(len(one), _NONE, np.int64)
        for mine, others in _WAYS:
            off = popcount(self.low[one, mine] ^ (self.low[other, others] ^ flip[0]))
            near = np.flatnonzero(off <= LOW)  # few: the other words are read for these alone
            a, b = self._words(one[near])[:, mine], self._words(other[near])[:, others]
            bits = popcount(a ^ (b ^ flip)).sum(-1, dtype=np.int64)
            bits[bits > (NEAR if mine == others else TURNED_NEAR)] = _NONE
            found[near] = np.minimum(found[near], bits)
        return found

    def _words(self, rows: Rows) -> Words:
        """(M, 3, 4) hashes of M rows."""
        some, place = np.unique(rows, return_inverse=True)
        return photo_words(self.hashes.take(pa.array(some)))[place]

    def _same_side(self, one: Rows, other: Rows, mirrored: bool) -> Bools:
        """(M,) whether torso and head are seen from about the same side."""
        off = np.column_stack([apart_deg(yaw[one], yaw[other] * (-1 if mirrored else 1)) for yaw in self.yaws])
        return np.asarray((off <= TURNED_DEG).all(axis=1))

    def _overlap(self, one: Rows, other: Rows, mirrored: bool) -> Doubles:
        a, b = self._boxes(one), self._boxes(other)
        if mirrored:
            b = np.column_stack([1 - b[:, 2], b[:, 1], 1 - b[:, 0], b[:, 3]])
        return np.asarray(paired_iou(a, b), np.float64)

    def _boxes(self, rows: Rows) -> Doubles:
        """(M, 4) x0, y0, x1, y1 of M rows in fractions of the photo."""
        sides = [np.maximum(side[rows], 1) for side in self.sides]
        return np.column_stack([edge[rows] / side for edge, side in zip(self.edges, sides * 2, strict=True)])


def _low(hashes: pa.ChunkedArray) -> tuple[Words, Bools]:
    """`Photos.low`, and which of N samples have a hash."""
    low, hashed = np.zeros((len(hashes), _FORMS), np.uint64), np.zeros(len(hashes), bool)
    for start in range(0, len(hashes), _TOGETHER):
        part = pc.fill_null(hashes.slice(start, _TOGETHER), "")
        there = np.asarray(pc.equal(pc.utf8_length(part), PHOTO_DIGITS))
        hashed[start : start + _TOGETHER] = there
        low[start + np.flatnonzero(there)] = photo_words(part.filter(pa.array(there)))[:, :, 0]
    return low, hashed


def photo_words(hashes: pa.ChunkedArray | Sequence[str]) -> Words:
    """(M, 3, 4) of M texts of `phq.quality.hashes.photo_phash`: of each form, the lowest coefficients first."""
    return words(hashes).reshape(-1, _FORMS, _WORDS)


def _films(paths: pa.ChunkedArray) -> Rows:
    """(N,) see `Photos.film`."""
    frames = np.flatnonzero(np.asarray(pc.match_substring(paths, MARK)))
    found = np.zeros(len(paths), np.int32)
    found[frames] = numbered([file_of(path) for path in paths.take(pa.array(frames)).to_pylist()])
    return found
