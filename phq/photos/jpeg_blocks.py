"""Are all blocks of a JPEG there? Its entropy-coded data read code by code, without making a picture of it.

Needed where no end marker says so: behind the last block there may be nothing, or anything. Decoders take what follows
a cut for blocks, without an error; here a code that no table has, a block of too many or too large coefficients, data
that goes on in the same manner behind the last block, or last blocks of another kind than those before them
(`phq.photos.jpeg_noise`) give it away. About a million codes a second.
"""

from __future__ import annotations

import math
import re
import struct
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from phq.photos.jpeg_layout import Layout, Scan
from phq.photos.jpeg_noise import context, no_codes, noise_bits
from phq.system.arrays import Doubles

Table = list[tuple[int, int]]
"""Length and symbol of the code that 16 bits begin with; length 0 where none does."""

_RESTART = re.compile(rb"\xff+[\xd0-\xd7]")
_TABLES, _STEPS, _INTERVAL, _SCAN = 0xC4, 0xDB, 0xDD, 0xDA
_LARGEST = 1024
_HUFFMAN = (0xC0, 0xC1, 0xC2)
_GUARD = bytes(64)
_ALIKE = 12
"""Bytes before and behind the last block that are compared."""
_MOST_NOISE_BITS = 28.0
"""Of 115 whole photos, 81 of them cut to end elsewhere, one was beyond 21; noise in place of a hundredth of a scan's
data gives 50 and more."""


class _CutError(Exception):
    """The data are not those of all blocks."""


class _Bits:
    """The data of one restart interval, read from the front."""

    def __init__(self, data: bytes) -> None:
        self._bytes = data.replace(b"\xff\0", b"\xff") + _GUARD
        self._end = 8 * (len(self._bytes) - len(_GUARD))
        self.at = 0
        """Bits read so far."""

    def symbol(self, table: Table) -> int:
        """The next code's symbol."""
        at = self.at
        bits = int.from_bytes(self._bytes[at >> 3 : (at >> 3) + 3], "big") >> (8 - (at & 7)) & 0xFFFF
        length, symbol = table[bits]
        if not length or at >= self._end:
            raise _CutError
        self.at = at + length
        return symbol

    def skip(self, n: int) -> None:
        """Pass over `n` bits."""
        self.at += n

    def number(self, n: int) -> int:
        """The next `n` bits, at most 16."""
        at = self.at
        self.at += n
        return int.from_bytes(self._bytes[at >> 3 : (at >> 3) + 3], "big") >> (24 - (at & 7) - n) & ((1 << n) - 1)

    def check(self) -> None:
        """Raises _CutError if more was read than there is."""
        if self.at > self._end:
            raise _CutError

    def rest(self) -> tuple[bytes, bytes, bool]:
        """Bytes before and behind the place, and whether ones fill its last byte (ITU-T T.81 §F.1.2.3)."""
        at, left = (self.at + 7) >> 3, -self.at & 7
        filled = self.number(left) == (1 << left) - 1
        return self._bytes[max(0, at - _ALIKE) : at], self._bytes[at : self._end >> 3], filled


@dataclass
class _Part:
    """A component in a scan."""

    dc: Table
    ac: Table
    blocks: int
    """In an MCU."""
    highest: int
    """Of a DC coefficient, by its quantisation."""
    sizes: list[int]
    """Bits of each coefficient at most: before quantisation none of 8-bit samples is beyond 1024."""
    nonzero: list[int]
    """A bit for each coefficient of each block, for scans that refine."""
    number: int
    """In the scan, from 0."""
    codes: array[int]
    """All codes of the scan so far, of all components; see `noise_bits`."""

    def state_lengths(self, lengths: Doubles) -> None:
        """Put in the lengths of its codes."""
        for table, coefficients in ((self.dc, range(1)), (self.ac, range(1, 64))):
            for length, symbol in set(table) - {(0, 0)}:
                for k in coefficients:
                    lengths[context(self.number, k) + (symbol if k else symbol & 15)] = length


def _huffman(lengths: bytes, symbols: bytes) -> Table:
    """Codes of all lengths (ITU-T T.81 annex C)."""
    table: Table = []
    at = 0
    for length, n in enumerate(lengths, 1):
        for symbol in symbols[at : at + n]:
            table += [(length, symbol)] * (1 << (16 - length))
        at += n
    return (table + [(0, 0)] * (65536 - len(table)))[:65536]


def _read_steps(body: bytes) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Number of each table of a DQT segment, with its 64 steps in zigzag order (ITU-T T.81 §B.2.4.1)."""
    at = 0
    while at < len(body):
        form, number = ("H", body[at] & 15) if body[at] >> 4 else ("B", body[at] & 15)
        yield number, struct.unpack_from(f">64{form}", body, at + 1)
        at += 1 + 64 * struct.calcsize(form)


def _read_tables(body: bytes) -> Iterator[tuple[int, Table]]:
    """Class times 16 plus number of each table of a DHT segment, with the table."""
    at = 0
    while at + 17 <= len(body):
        lengths = body[at + 1 : at + 17]
        yield body[at], _huffman(lengths, body[at + 17 : at + 17 + sum(lengths)])
        at += 17 + sum(lengths)


def _sequential(bits: _Bits, parts: Sequence[_Part], mcus: range, _: Scan) -> None:
    levels = [0] * len(parts)
    for _mcu in mcus:
        for number, part in enumerate(parts):
            for _block in range(part.blocks):
                size = bits.symbol(part.dc) & 15
                part.codes.append(context(number) + size)
                value = bits.number(size)
                levels[number] += value if not size or value >> (size - 1) else value - (1 << size) + 1
                if abs(levels[number]) > part.highest:
                    raise _CutError
                _ac_of_block(bits, part)
        bits.check()


def _ac_of_block(bits: _Bits, part: _Part) -> None:
    k = 1
    while k < 64:
        symbol = _read_ac(bits, part, k)
        size = symbol & 15
        if not size and symbol != 0xF0:
            return
        k += symbol >> 4
        if k > 63 or size > part.sizes[k]:
            raise _CutError
        bits.skip(size)
        k += 1


def _read_ac(bits: _Bits, part: _Part, k: int) -> int:
    symbol = bits.symbol(part.ac)
    part.codes.append(context(part.number, k) + symbol)
    return symbol


def _first_dc(bits: _Bits, parts: Sequence[_Part], mcus: range, _: Scan) -> None:
    for _mcu in mcus:
        for part in parts:
            for _block in range(part.blocks):
                bits.skip(bits.symbol(part.dc) & 15)


def _more_dc(bits: _Bits, parts: Sequence[_Part], mcus: range, _: Scan) -> None:
    bits.skip(len(mcus) * sum(part.blocks for part in parts))


def _first_ac(bits: _Bits, parts: Sequence[_Part], mcus: range, scan: Scan) -> None:
    (part,) = parts
    ended = 0
    for block in mcus:
        if ended:
            ended -= 1
            continue
        k = scan.first
        while k <= scan.last:
            run, size = divmod(_read_ac(bits, part, k), 16)
            if not size and run < 15:
                ended = (1 << run) - 1 + bits.number(run)
                break
            k += run
            part.nonzero[block] |= (1 << k) if size else 0
            bits.skip(size)
            k += 1
        if k > scan.last + 1:
            raise _CutError


def _more_ac(bits: _Bits, parts: Sequence[_Part], mcus: range, scan: Scan) -> None:
    """Refinement of AC coefficients (ITU-T T.81 §G.1.2.3)."""
    (part,) = parts
    ended = 0
    band = (1 << (scan.last + 1)) - 1
    for block in mcus:
        k, known = scan.first, part.nonzero[block]
        while not ended and k <= scan.last:
            run, size = divmod(_read_ac(bits, part, k), 16)
            if not size and run < 15:
                ended = (1 << run) + bits.number(run)
                break
            bits.skip(size)
            while k <= scan.last and (run or known >> k & 1):
                bits.skip(known >> k & 1)
                run -= not known >> k & 1
                k += 1
            if k > scan.last:
                raise _CutError
            part.nonzero[block] |= (1 << k) if size else 0
            k += 1
        if ended:
            bits.skip(((known & band) >> k).bit_count())
            ended -= 1
        bits.check()


Procedure = Callable[[_Bits, Sequence[_Part], range, Scan], None]


def _procedure(scan: Scan, progressive: bool) -> Procedure:
    if not progressive:
        return _sequential
    if scan.first == 0:
        return _more_dc if scan.previous else _first_dc
    return _more_ac if scan.previous else _first_ac


class _Walk:
    """Goes through the scans of a file in order, with the tables that hold at each."""

    def __init__(self, data: bytes, layout: Layout) -> None:
        self._data, self._frame = data, layout.frame
        self._factors = {c: (h, v) for c, h, v, _ in layout.frame.components}
        self._quantised = {c: table for c, _, _, table in layout.frame.components}
        self._tables: dict[int, Table] = {}
        self._steps: dict[int, tuple[int, ...]] = {}
        self._interval = 0
        self._nonzero: dict[int, list[int]] = {}
        self._codes = array("H")
        self._lengths = no_codes()

    def define(self, marker: int, body: bytes) -> None:
        """Take in what a segment defines."""
        if marker == _TABLES:
            self._tables |= dict(_read_tables(body))
        elif marker == _STEPS:
            self._steps |= dict(_read_steps(body))
        elif marker == _INTERVAL:
            self._interval = int.from_bytes(body[:2], "big")

    def _blocks(self, component: int | None) -> int:
        """MCUs of a scan of one component, or of several (ITU-T T.81 §A.2)."""
        h_max, v_max = (max(sizes) for sizes in zip(*self._factors.values(), strict=True))
        h, v = self._factors[component] if component is not None else (1, 1)
        across, down = (8 * h_max, 8 * v_max)
        return int(math.ceil(self._frame.width * h / across) * math.ceil(self._frame.height * v / down))

    def _parts(self, scan: Scan) -> list[_Part]:
        alone = len(scan.components) == 1
        parts: list[_Part] = []
        for component, tables in zip(scan.components, scan.tables, strict=True):
            h, v = self._factors[component]
            if alone and scan.first:
                self._nonzero.setdefault(component, [0] * self._blocks(component))
            dc, ac = self._tables.get(tables >> 4, []), self._tables.get(16 + (tables & 15), [])
            steps = self._steps[self._quantised[component]]
            sizes = [(_LARGEST // step + 1).bit_length() for step in steps]
            nonzero = self._nonzero.get(component, [])
            highest, blocks = _LARGEST // steps[0] + 1, 1 if alone else h * v
            parts.append(_Part(dc, ac, blocks, highest, sizes, nonzero, len(parts), self._codes))
        return parts

    def read(self, scan: Scan) -> _Bits:
        """Read a scan; what comes back stands behind its last block."""
        self._codes, self._lengths = array("H"), no_codes()
        parts = self._parts(scan)
        n = self._blocks(scan.components[0] if len(parts) == 1 else None)
        pieces = _RESTART.split(self._data[scan.start : scan.end])
        step = self._interval or n
        read = _procedure(scan, self._frame.progressive)
        for piece, first in zip(pieces, range(0, n, step), strict=False):
            bits = _Bits(piece)
            read(bits, parts, range(first, min(first + step, n)), scan)
            bits.check()
        if len(pieces) * step < n:
            raise _CutError
        for part in parts:
            part.state_lengths(self._lengths)
        return bits

    def ends_in_noise(self) -> bool:
        """Whether the last blocks of the scan read last are unlike its others."""
        return noise_bits(self._codes, self._lengths) > _MOST_NOISE_BITS


def _alike(before: bytes, behind: bytes) -> bool:
    """Whether two strings of bytes are both text, or both one byte again and again; False where there are too few."""
    both = before + behind[:_ALIKE]
    if len(before) < _ALIKE:
        return False
    return len(set(both)) == 1 or all(32 <= byte < 127 or byte in b"\t\r\n" for byte in both)


def are_all_there(data: bytes, layout: Layout, n_scans: int) -> bool:
    """True if the first `n_scans` scans hold every block; False where arithmetic coding keeps it from being seen."""
    if layout.frame.marker not in _HUFFMAN:
        return False
    walk, scans = _Walk(data, layout), iter(layout.scans[:n_scans])
    last = layout.scans[n_scans - 1]
    try:
        for segment in layout.segments:
            walk.define(segment.marker, data[segment.start : segment.body])
            if segment.marker == _SCAN:
                scan = next(scans)
                bits = walk.read(scan)
                if scan is last:
                    break
        before, behind, filled = bits.rest()
    except (_CutError, IndexError, KeyError, ValueError, ZeroDivisionError, struct.error):
        return False
    if before.endswith(b"\0"):  # such as an interrupted download leaves behind a cut
        return False
    return not behind or (filled and not _alike(before, behind) and not walk.ends_in_noise())
