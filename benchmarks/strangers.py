"""Duplicates against strangers: pairs that the hash alone takes for one photo, and that the other signs leave.

    python benchmarks/strangers.py --strangers DATASET… [--planted DATASET] [--bits 8]

STRANGERS are datasets in which every sample shows another person (`phq synth` makes one); all pairs of all of them are
compared. PLANTED is built of photos ``original/NAME`` and copies of them ``KIND/NAME``, cut, encoded, turned or
mirrored, with the preset ``everything``; of each original the largest person counts, and is compared with the person
at the same place of each copy alone. Where nobody is there, the copy is counted as one without that person.

Where no pair of strangers passes, its rate is an extrapolation, and is printed as one (≈): that of near hashes, times
that of signs that agree. The latter is taken from the pairs with the nearest signs, whose number falls by a power of
the distance (a line through the logarithms of the nearest 200). The two are taken as independent, which the share of
near signs among pairs with near hashes, printed beside it, supports or not. The same is done for the hashes of whole
photos, whose number falls by a power of e a bit, and the colours that must agree there; a drawn picture is its own
photo, everybody is taken to stand at the same place, and all people of one photo are one person.
"""

from __future__ import annotations

import argparse
from collections import defaultdict

import numpy as np
import pyarrow as pa

from phq.config.build import load_config
from phq.dataset.reader import Dataset
from phq.decisions.copies import COLOUR, MIRROR, NEAR, four_words
from phq.decisions.duplicates import POINTS
from phq.decisions.hamming import mirror_distance, popcount
from phq.decisions.likeness import LIKENESS, compact, find_likeness
from phq.decisions.numbered import words
from phq.decisions.signs import CLEAR, PLACE, Signs
from phq.quality.hashes import photo_phash
from phq.schema import BOX

NEAR_BITS = 16
"""Bits up to which hashes count as near, to see whether signs depend on them."""
NEAREST = 200
THERE = 0.3
"""Least intersection over union of the box in a copy with that in the original, for it to be the same person's."""
FOUND, ABSENT = "found", "absent"


class People:
    """Hashes and signs of N samples."""

    def __init__(self, table: pa.Table) -> None:
        table = compact(table)
        self.plain, self.mirrors = words(table["phash"].to_pylist()), words(table["phash_mirror"].to_pylist())
        self.signs = Signs.of(np.array(table["appearance"].to_pylist()), np.array(table[POINTS].to_pylist()))

    def pairs(self) -> np.ndarray:
        """(2 · pairs, 2) of every pair, plain and mirrored: bits, and the farther sign in units of its limit."""
        found = []
        for one in range(len(self.plain) - 1):
            others = np.arange(one + 1, len(self.plain))
            found += [self.compared(np.full(len(others), one), others, mirrored) for mirrored in (False, True)]
        return np.concatenate(found)

    def compared(self, one: np.ndarray, other: np.ndarray, mirrored: bool) -> np.ndarray:
        """(M, 2) of pairs, see `pairs`."""
        if mirrored:
            bits = mirror_distance(self.plain[one], self.mirrors[one], self.plain[other], self.mirrors[other])
        else:
            bits = popcount(self.plain[one] ^ self.plain[other])
        colour, place = self.signs.apart(one, other, mirrored)
        return np.column_stack([bits, np.maximum(colour, place / PLACE)])


def table_of(dataset: str) -> pa.Table:
    """`LIKENESS` of a dataset's samples."""
    return Dataset(dataset, revision="none").columns(LIKENESS).replace_schema_metadata(None)


def strangers_line(dataset: str, bits: int) -> str:
    """A row of the table of strangers."""
    people = People(table_of(dataset))
    pairs = people.pairs()
    count = len(pairs) // 2
    near = pairs[:, 0] <= bits
    both = int((near & (pairs[:, 1] <= CLEAR)).sum())
    hashes, signs = near.sum() / count, tail(pairs[:, 1]) * 2
    alike = pairs[pairs[:, 0] <= NEAR_BITS]
    few = [f"{(part[:, 1] <= 3).mean():.1e}" for part in (pairs, alike) if len(part)]
    rate = f"{both / count:.1e}" if both else f"≈ {max(hashes, 1 / count) * signs / 2:.0e}"
    numbers = f"{len(people.plain)} | {count:,} | {near.sum()} ({hashes:.0e}) | {both} | {rate}"
    return f"| {dataset} | {numbers} | {' / '.join(few)} |"


def tail(apart: np.ndarray) -> float:
    """Share of pairs whose signs are within `CLEAR`, by a power law through the nearest."""
    nearest = np.sort(apart[np.isfinite(apart)])[:NEAREST]
    slope, start = np.polyfit(np.log(nearest), np.log(np.arange(1, len(nearest) + 1) / len(apart)), 1)
    return float(np.exp(start + slope * np.log(CLEAR))) if slope > 0 else 1.0


def photos_line(dataset: str) -> str:
    """A row of the table of strangers' photos."""
    opened, table = Dataset(dataset, revision="none"), compact(table_of(dataset))
    hashes = four_words([photo_phash(np.asarray(sample.image)) for sample in opened])
    signs = Signs.of(np.array(table["appearance"].to_pylist()), np.array(table[POINTS].to_pylist()))
    bits, colours = [], []
    for one in range(len(hashes) - 1):
        others = np.arange(one + 1, len(hashes))
        for flip in (np.zeros(4, np.uint64), MIRROR):
            bits.append(popcount(hashes[one] ^ hashes[others] ^ flip).sum(-1, dtype=np.int64))
            colours.append(signs.apart(np.full(len(others), one), others, bool(flip.any()))[0])
    apart, colour = np.concatenate(bits), np.concatenate(colours)
    nearest = np.sort(apart)[:NEAREST]
    slope, start = np.polyfit(nearest, np.log(np.arange(1, NEAREST + 1) / len(apart)), 1)
    near, alike = float(np.exp(start + slope * NEAR)), float((colour <= COLOUR).mean())
    both = int(((apart <= NEAR) & (colour <= COLOUR)).sum())
    return f"| {dataset} | {nearest[0]} bits | ≈ {near:.0e} | {alike:.0e} | {both} | ≈ {2 * near * alike:.0e} |"


def planted_lines(dataset: str, bits: int) -> list[str]:
    """Rows of the table of planted copies."""
    samples = Dataset(dataset, revision="none").columns(LIKENESS)
    people = compact(samples.select(LIKENESS).replace_schema_metadata(None)).combine_chunks()
    config = load_config("default", sets=[f"duplicates.bits={bits}"])
    kinds: dict[str, list[str]] = defaultdict(list)
    boxes, rows = fractions(samples), rows_of(samples)
    for (kind, name), copies in sorted(rows.items()):
        originals = rows.get(("original", name), [])
        if kind != "original" and originals:
            one = max(originals, key=lambda row: boxes[row, 3] - boxes[row, 1])
            other = max(copies, key=lambda row: overlap(boxes[one], boxes[row], kind == "mirrored"))
            pair = people.take(pa.array([one, other])).combine_chunks()
            found = (find_likeness(pair, config).duplicate_of >= 0).any()
            is_there = overlap(boxes[one], boxes[other], kind == "mirrored") >= THERE
            kinds[kind].append(name if not found and is_there else FOUND if found else ABSENT)
    kinds["all"] = [missed for of_kind in list(kinds.values()) for missed in of_kind]
    named = {kind: ", ".join(sorted(set(missed) - {FOUND, ABSENT})) for kind, missed in kinds.items()}
    return [f"| {kind} | {len(missed)} | {missed.count(ABSENT)} | {missed.count(FOUND)} | {named[kind]} |"
            for kind, missed in kinds.items()]  # fmt: skip


def fractions(samples: pa.Table) -> np.ndarray:
    """(N, 4) boxes in fractions of their photos."""
    size = np.column_stack([samples[name].to_numpy() for name in ("image_width", "image_height")])
    return np.column_stack([samples[name].to_numpy() for name in BOX]) / np.tile(size, 2)


def rows_of(samples: pa.Table) -> dict[tuple[str, str], list[int]]:
    """Rows of each photo, by its kind and name."""
    rows: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, path in enumerate(samples["source_path"].to_pylist()):
        kind, _, name = path.partition("/")
        rows[kind, name].append(number)
    return rows


def overlap(one: np.ndarray, other: np.ndarray, mirrored: bool) -> float:
    """Intersection over union of two boxes."""
    if mirrored:
        other = np.array([1 - other[2], other[1], 1 - other[0], other[3]])
    shared = np.prod(np.clip(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0, None))
    return float(shared / (np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]) - shared))


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strangers", nargs="*", default=[])
    parser.add_argument("--planted")
    parser.add_argument("--bits", type=int, default=8)
    told = parser.parse_args()
    print("| strangers | samples | pairs | near hash (rate) | and signs | rate | signs within 3: all / near hashes |")
    print("|---|---|---|---|---|---|---|")
    for dataset in told.strangers:
        print(strangers_line(dataset, told.bits))
    print("\n| strangers | nearest photos | near photos | alike colours | both | rate |")
    print("|---|---|---|---|---|---|")
    for dataset in told.strangers:
        print(photos_line(dataset))
    if told.planted:
        print("\n| planted | copies | found | missed |")
        print("|---|---|---|---|")
        print("\n".join(planted_lines(told.planted, told.bits)))


if __name__ == "__main__":
    main()
