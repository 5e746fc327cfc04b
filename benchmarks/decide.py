"""How long it takes to decide again on a dataset of many samples, and to find its duplicates and scenes.

    python benchmarks/decide.py [SAMPLES]

The dataset is made up: a manifest with random scores, of which a tenth look alike in pairs, without any shard.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from phq.dataset.tables import ROWS_PER_GROUP, arrow_schema
from phq.decisions.decide import decide_dataset
from phq.decisions.moves import lines
from phq.decisions.overlay import apply
from phq.reasons import RULES
from phq.schema import SCHEMA_VERSION, Row, column_kind
from phq.system.atomic import write_bytes

GOOD = {rule.score: (0.6, 1.0) if rule.side == "min" else (0.0, 0.2) for rule in RULES if rule.score != "box_px"}
GOOD |= {"luminance": (0.3, 0.6), "mask_fraction": (0.3, 0.6), "head_px": (60.0, 400.0), "crop_side_px": (300.0, 900.0)}
GOOD |= {"orientation_sigma_deg": (0.0, 0.0), "p_flip": (0.0, 0.02), "head_outside": (0.0, 0.05)}
"""Ranges of the scores of nearly everybody."""


def tables(samples: int) -> Iterator[pa.Table]:
    """The manifest, some thousand rows at a time."""
    rng, schema = np.random.default_rng(0), arrow_schema()
    for start in range(0, samples, ROWS_PER_GROUP):
        count = min(ROWS_PER_GROUP, samples - start)
        yield pa.Table.from_arrays([_column(field, start, count, rng) for field in schema], schema=schema)


def _column(field: pa.Field, start: int, count: int, rng: np.random.Generator) -> pa.Array:
    name, (kind, length) = field.name, column_kind(field.name)
    numbers = np.arange(start, start + count)
    if length:
        values = rng.random((count, length)) * (50 if name == "appearance" else 1)
        flat = pa.array((values > 0.5 if kind is bool else values).ravel())
        return pa.ListArray.from_arrays(np.arange(0, count * length + 1, length, dtype=np.int32), flat).cast(field.type)
    if name in ("phash", "phash_mirror"):
        seeds = np.where(numbers % 10 == 1, numbers - 1, numbers)  # every tenth looks like the one before
        mixed = seeds.astype(np.uint64) + np.uint64(name == "phash_mirror") * np.uint64(1 << 40) + np.uint64(1)
        return pa.array([f"{int(v):016x}" for v in mixed * np.uint64(0x9E3779B97F4A7C15)])
    if kind is str:
        fixed = {"decision": "kept", "split": "train", "shard": "train/phq-train-000000.tar"}
        made = {"key": "{:016x}", "source_sha256": "{:064x}", "source_path": "{:07d}.jpg"}
        return pa.array([made[name].format(n) for n in numbers] if name in made else [fixed.get(name, "")] * count)
    if kind is float:
        low, high = GOOD.get(name, (0.0, 1.0))
        spread = {"camera_yaw_deg": 360.0, "box_x1": 300.0, "box_y1": 300.0}.get(name, 1.0)
        values = low + (high - low) * rng.random(count)
        values[rng.random(count) < 0.002] = 1 - low  # and somebody else
        return pa.array(values * spread + (300 if name in ("box_x1", "box_y1") else 0))
    return pa.array(rng.random(count) < 0.5 if kind is bool else np.zeros(count, np.int64))


def write(folder: Path, samples: int) -> None:
    """A dataset without shards."""
    with pq.ParquetWriter(folder / "manifest.parquet", arrow_schema(), compression="zstd") as writer:
        for table in tables(samples):
            writer.write_table(table)
    pq.write_table(arrow_schema().empty_table(), folder / "rejects.parquet")
    write_bytes(folder / "run.json", f'{{"schema_version": "{SCHEMA_VERSION}"}}'.encode())


def main(samples: int) -> None:
    """Print seconds and what came of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, samples)
        start = time.process_time()
        decided = decide_dataset(folder, preset="default", sets=["blur.min=0.65"])
        said = time.process_time()
        spoken = apply(decided, "again")
        done = time.process_time()
        print(f"{samples} samples of {len(Row.model_fields)} columns, kept {decided.is_kept.sum()}")
        print(f"seconds of processor time: {said - start:.1f} deciding, {done - said:.1f} writing {spoken} rows")
        print(*lines(decided), sep="\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
