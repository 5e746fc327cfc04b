"""Duplicates, scenes, splits, order and shards of a million people whose columns are drawn: no units, no pictures.

What is printed: CPU seconds and memory of each step of what follows the gathering in a build, and with `--existing` of
an extension of so many samples.

    python benchmarks/tables.py /tmp/tables --people 1000000
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from scale import SETS, Clock

from phq.building.finalise.decisions import decide_people
from phq.building.finalise.gather import People, empty_people
from phq.building.finalise.shards import shard_jobs
from phq.config.build import load_config
from phq.dataset.summary import COLUMNS, Summary
from phq.decisions import copies
from phq.decisions.duplicates import POINTS
from phq.decisions.groups import PROPORTION
from phq.decisions.likeness import FACE
from phq.schema import DECISION, GROUPS, PROVENANCE

BATCH = 1 << 14
SPREAD, WIDE = 18, 50
ALIKE, SCENES = 0.06, 0.05
"""Shares of people who look like another one, and who are in the scene of another one."""


def drawn(count: int, start: int, rng: np.random.Generator, spread: float = SPREAD) -> pa.Table:
    """All columns of `People` of so many people, the first of whom is number `start`.

    Args:
        count: of people.
        start: number of the first.
        rng: what is drawn with.
        spread: standard deviation of the colours between people, a* and b*.
    """
    looks = np.column_stack([
        np.round(np.column_stack([rng.uniform(5, 95, count), rng.normal(0, spread, (count, 2)),
                                  rng.uniform(5, 25, (count, 3))]), 2) for _ in range(4)
    ])  # fmt: skip
    hashes, mirrors = (rng.integers(0, 2**64, count, dtype=np.uint64) for _ in range(2))
    kind, other = rng.random(count), rng.integers(0, count, count)
    alike, scene = kind < ALIKE, kind < ALIKE + SCENES
    looks[scene], hashes[alike], mirrors[alike] = looks[other[scene]], hashes[other[alike]], mirrors[other[alike]]
    keys, photos = rng.integers(0, 2**64, count, dtype=np.uint64), [rng.bytes(32).hex() for _ in range(count)]
    points = np.tile(np.linspace(0.2, 0.8, 18, dtype=np.float32), count)
    unstated = (*PROVENANCE, "face_network", "reason", "detail", "score_name", *GROUPS)
    texts = dict.fromkeys(unstated, [""] * count)
    numbers = np.arange(start, start + count)
    columns = texts | {
        "key": hexed(keys), "source_path": [f"{n // 1000:05d}/{n:08d}.jpg" for n in numbers], "source_sha256": photos,
        "person_index": np.zeros(count, np.int64), "phash": hexed(hashes), "phash_mirror": hexed(mirrors),
        "photo_phash": [rng.bytes(96).hex() for _ in range(count)],
        **{f"image_{side}": np.full(count, 1, np.int64) for side in ("width", "height")},
        "camera_yaw_deg": rng.uniform(-180, 180, count), "blur": rng.random(count),
        "head_yaw_deg": rng.uniform(-180, 180, count),
        "source_px_per_px": np.round(rng.uniform(0.5, 4, count), 4), PROPORTION: rng.normal(-0.4, 0.05, count),
        **{f"box_{edge}": np.full(count, float(edge[1])) for edge in ("x0", "y0", "x1", "y1")},
        "appearance": lists(looks), POINTS: lists(points.reshape(count, -1)),
        FACE: pa.nulls(count, pa.large_binary()), "decision": ["kept"] * count, "threshold": np.zeros(count),
        "margin": np.zeros(count), "unit": (numbers // 64).astype(np.int32), "row": (numbers % 64).astype(np.int32),
        "digest": [photo[:32] for photo in photos],
        **{f"{name}_{what}": np.full(count, 60_000) for name in ("jpg", "json", "mask") for what in ("offset", "size")},
    }  # fmt: skip
    return pa.table(columns)


def hexed(words: np.ndarray) -> list[str]:
    """16 hex digits each."""
    return [f"{word:016x}" for word in words.tolist()]


def lists(rows: np.ndarray) -> pa.Array:
    """A column of lists."""
    ends = np.arange(0, rows.size + 1, rows.shape[1], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(rows.ravel()))


def people_of(folder: Path, count: int, existing: int, spread: float = SPREAD) -> People:
    """So many new people, all of whom the thresholds keep, after so many samples of a dataset."""
    rng = np.random.default_rng(0)
    people = empty_people(folder, _batches(existing, 0, rng, spread))
    for table in _batches(count, existing, rng, spread):
        people.everyone.append(table)
        people.decisions.append(table.select(DECISION))
        people.likeness.append(table)
    return people


def _batches(count: int, start: int, rng: np.random.Generator, spread: float) -> Iterator[pa.Table]:
    for first in range(0, count, BATCH):
        yield drawn(min(BATCH, count - first), start + first, rng, spread)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--existing", type=int, default=0)
    parser.add_argument("--narrow", action="store_true", help="few who are nearly alike: the same memory, less time")
    options = parser.parse_args()
    clock, sets = Clock(options.people + options.existing), SETS
    if options.narrow:
        copies.LOW, sets = 1, (*SETS, "duplicates.bits=1")
    config = load_config("everything", sets=sets)
    with clock.step("draw"):
        people = people_of(options.out, options.people, options.existing, WIDE if options.narrow else SPREAD)
    with clock.step("duplicates, scenes, splits"):
        before = np.zeros(options.existing, np.int8) if options.existing else None
        decisions = decide_people(people, config, before)
    with clock.step("order, shards planned"):
        shards = sum(1 for _ in shard_jobs(decisions))
    with clock.step("counts for the card"):
        Summary(decisions.batches(COLUMNS, kept=True), decisions.batches(("reason",), kept=False))
    print(f"{decisions.counts(options.people)} in {shards} shards")


if __name__ == "__main__":
    main()
