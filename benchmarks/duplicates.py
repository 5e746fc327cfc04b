"""Exact and perceptual duplicates among a million synthetic samples: time, memory, and recall.

Hashes are drawn as real ones lie: bunched (people photographed alike share most of their low frequencies) and half of
their bits set. Some samples are planted near others, a known number of bits away, some are exact copies, some are
people of a copied photo whose crops are unlike.

    python benchmarks/duplicates.py --samples 1000000
"""

from __future__ import annotations

import argparse
import resource
import sys
import time

import numpy as np
import pyarrow as pa

from phq.decisions.duplicates import POINTS, Duplicates, find_duplicates
from phq.decisions.hamming import distance
from phq.decisions.signs import NUMBERS

BITS = 6
LOOK = np.array([50.0, 20, 30, 9, 9, 9] * 4)
"""Colours of every sample."""
PLANTED, COPIED, RECUT = 0.05, 0.01, 0.01
"""Shares of the samples that are near another one, that are the same photo again, and whose photo is near another's."""
BUNCHES, SPREAD = 2000, 22
"""Centres that hashes lie about, and bits flipped of a centre: most are farther than `BITS` from each other."""


def hashes(rng: np.random.Generator, count: int) -> np.ndarray:
    """(N,) words about `BUNCHES` centres."""
    centres = rng.integers(0, 2**64, BUNCHES, dtype=np.uint64)
    return flipped(rng, centres[rng.integers(0, BUNCHES, count)], np.full(count, SPREAD))


def flipped(rng: np.random.Generator, words: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """The words with so many bits changed, at random places (a place may be drawn twice)."""
    words = words.copy()
    for turn in range(int(bits.max(initial=0))):
        chosen = np.uint64(1) << rng.integers(0, 64, len(words), dtype=np.uint64)
        words ^= np.where(turn < bits, chosen, np.uint64(0))
    return words


def made(rng: np.random.Generator, count: int) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    """Columns of so many samples, and their words."""
    words, mirrors = hashes(rng, count), hashes(rng, count)
    photo = np.arange(count)
    planted = rng.choice(count, int(count * (PLANTED + COPIED + RECUT)), replace=False)
    near, copies, recut = np.split(planted, [int(count * PLANTED), int(count * (PLANTED + COPIED))])
    origin = rng.integers(0, count, len(near))
    words[near] = flipped(rng, words[origin], rng.integers(0, BITS + 1, len(near)))
    photo[copies] = rng.integers(0, count, len(copies))
    photos = rng.integers(0, 2**64, (count, 12), dtype=np.uint64)
    photos[:, ::4] = np.stack([hashes(rng, count) for _ in range(3)], axis=1)
    photos[recut] = photos[rng.integers(0, count, len(recut))]
    photos[recut, 0] = flipped(rng, photos[recut, 0], rng.integers(0, BITS + 1, len(recut)))
    text = [f"{word:016x}" for word in words.tolist()], [f"{word:016x}" for word in mirrors.tolist()]
    table = pa.table({
        "key": [f"{number:016x}" for number in range(count)],
        "source_path": [f"photos/{number:08d}.jpg" for number in range(count)],
        "source_sha256": [f"{number:064x}" for number in photo.tolist()],
        "person_index": np.zeros(count, np.int64),
        **{f"box_{edge}": np.full(count, float(edge[1])) for edge in ("x0", "y0", "x1", "y1")},
        "source_px_per_px": rng.random(count), "blur": rng.random(count),
        "phash": text[0], "phash_mirror": text[1], "image_width": np.full(count, 2), "image_height": np.full(count, 2),
        "camera_yaw_deg": np.zeros(count), "head_yaw_deg": np.zeros(count),
        "photo_phash": [row.tobytes().hex() for row in photos.astype(">u8")],
        "appearance": lists(LOOK, count), POINTS: lists(np.linspace(0.2, 0.8, NUMBERS, dtype=np.float32), count),
    })  # fmt: skip
    return table, words, mirrors


def lists(row: np.ndarray, count: int) -> pa.Array:
    """The same list for each sample: hashes alone decide, and every pair with near ones is compared in full."""
    ends = np.arange(0, count * len(row) + 1, len(row), dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(np.tile(row, count)))


def checked(found: Duplicates, words: np.ndarray, mirrors: np.ndarray, subset: np.ndarray) -> str:
    """Brute force over a subset: nobody who is kept may be near anybody else who is kept."""
    gone = np.zeros(len(words), bool)
    gone[found.rows] = True
    kept = np.flatnonzero(~gone)
    missed = 0
    for row in subset[~gone[subset]].tolist():
        bits = distance(words[row], mirrors[row], words[kept], mirrors[kept])
        missed += int((bits <= BITS).sum() > 1)
    return f"{missed} of {int((~gone[subset]).sum())} kept samples of the subset have a kept duplicate"


def main() -> None:
    """Run it and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--subset", type=int, default=500, help="samples compared with all others by brute force")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    table, words, mirrors = made(rng, options.samples)
    start, cpu = time.perf_counter(), time.process_time()
    found = find_duplicates(table, BITS)
    seconds, spent = time.perf_counter() - start, time.process_time() - cpu
    exact = int(found.exact.sum())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << (30 if sys.platform == "darwin" else 20))
    recut = int((found.photo_bits >= 0).sum())
    alike = len(found.rows) - exact - recut
    print(f"{options.samples} samples: {exact} exact and {alike} perceptual duplicates, {recut} by their photos")
    print(f"{seconds:.0f} s ({spent:.0f} s of CPU), peak memory {peak:.2f} GiB")
    print(checked(found, words, mirrors, rng.choice(options.samples, options.subset, replace=False)))


if __name__ == "__main__":
    main()
