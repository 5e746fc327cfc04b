"""Duplicates against strangers: pairs that the hash alone takes for one photo, and that the other signs leave.

    python benchmarks/strangers.py --strangers DATASET… [--planted DATASET] [--bits 8]

STRANGERS are datasets in which every sample shows another person (`phq synth` makes one); all pairs of all of them are
compared. PLANTED is built of photos ``original/NAME`` and copies of them ``KIND/NAME``, cut, encoded, turned or
mirrored, with the preset ``everything``; of each photo the largest person counts.

Where no pair of strangers passes, its rate is an extrapolation, and is printed as one (≈): that of near hashes, times
that of signs that agree. The latter is taken from the pairs with the nearest signs, whose number falls by a power of
the distance (a line through the logarithms of the nearest 200). The two are taken as independent, which the share of
near signs among pairs with near hashes, printed beside it, supports or not.
"""

from __future__ import annotations

import argparse
from collections import defaultdict

import numpy as np
import pyarrow as pa

from phq.dataset.reader import Dataset
from phq.decisions.decide import decide_dataset
from phq.decisions.duplicates import POINTS, words
from phq.decisions.hamming import mirror_distance, popcount
from phq.decisions.likeness import LIKENESS, compact
from phq.decisions.signs import PLACE, Signs

NEAR_BITS = 16
"""Bits up to which hashes count as near, to see whether signs depend on them."""
NEAREST = 200


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
    return Dataset(dataset, overlay="none").columns(LIKENESS).replace_schema_metadata(None)


def strangers_line(dataset: str, bits: int) -> str:
    """A row of the table of strangers."""
    people = People(table_of(dataset))
    pairs = people.pairs()
    count = len(pairs) // 2
    near = pairs[:, 0] <= bits
    both = int((near & (pairs[:, 1] <= 1)).sum())
    hashes, signs = near.sum() / count, tail(pairs[:, 1]) * 2
    alike = pairs[pairs[:, 0] <= NEAR_BITS]
    few = [f"{(part[:, 1] <= 3).mean():.1e}" for part in (pairs, alike) if len(part)]
    rate = f"{both / count:.1e}" if both else f"≈ {max(hashes, 1 / count) * signs / 2:.0e}"
    numbers = f"{len(people.plain)} | {count:,} | {near.sum()} ({hashes:.0e}) | {both} | {rate}"
    return f"| {dataset} | {numbers} | {' / '.join(few)} |"


def tail(apart: np.ndarray) -> float:
    """Share of pairs whose signs are within 1, by a power law through the nearest."""
    nearest = np.sort(apart[np.isfinite(apart)])[:NEAREST]
    slope, start = np.polyfit(np.log(nearest), np.log(np.arange(1, len(nearest) + 1) / len(apart)), 1)
    return float(np.exp(start)) if slope > 0 else 1.0


def planted_lines(dataset: str, bits: int) -> list[str]:
    """Rows of the table of planted copies."""
    decided = decide_dataset(dataset, preset="everything", sets=[f"duplicates.bits={bits}"])
    samples = decided.samples
    table = samples.columns(["source_path", "box_y0", "box_y1"]).to_pylist()
    group = decided.after["duplicate_group"].to_pylist()
    people = People(samples.columns(LIKENESS).replace_schema_metadata(None))
    largest: dict[tuple[str, str], int] = {}
    for number, row in enumerate(table):
        kind, _, name = row["source_path"].partition("/")
        other = largest.get((kind, name))
        if other is None or row["box_y1"] - row["box_y0"] > table[other]["box_y1"] - table[other]["box_y0"]:
            largest[kind, name] = number
    kinds: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for (kind, name), number in largest.items():
        if kind != "original" and ("original", name) in largest:
            kinds[kind].append((largest["original", name], number))
    lines = []
    for kind, pairs in sorted(kinds.items()):
        one, other = np.array(pairs).T
        both = [people.compared(one, other, mirrored) for mirrored in (False, True)]
        hashed = np.any([pair[:, 0] <= bits for pair in both], axis=0)
        signs = np.any([pair[:, 1] <= 1 for pair in both], axis=0)
        found = np.array([bool(group[a]) and group[a] == group[b] for a, b in pairs])
        share = (hashed & found).sum() / max(hashed.sum(), 1)
        lines.append(f"| {kind} | {len(pairs)} | {hashed.sum()} | {signs.sum()} | {found.sum()} | {share:.0%} |")
    return lines


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
    if told.planted:
        print("\n| planted | copies | near hash | near signs | in one group | of those with a near hash |")
        print("|---|---|---|---|---|---|")
        print("\n".join(planted_lines(told.planted, told.bits)))


if __name__ == "__main__":
    main()
