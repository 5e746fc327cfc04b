"""How long the report of a large dataset takes, and how large it is.

    python benchmarks/report.py [ROWS [PAGE]]

It writes a dataset of 512 pictures of 512² that are cut out of the bundled photos into a temporary folder, repeats its
manifest to ROWS rows (100,000) with angles and scores of their own, a tenth as many rejects beside them, and reports on
it; PAGE keeps the report. The repeated rows lead to the same pictures, so the report reads as many as it would, but
from the page cache.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from read_samples import samples

from phq.camera.convention import intrinsics
from phq.config.build import load_config
from phq.dataset.card import Card
from phq.dataset.write import write_dataset
from phq.reasons import RULES
from phq.schema import Row, Sample, make_sample, sample_to_json
from phq.view.report.reporting import report

ROWS = 100_000
PICTURES = 512


def write(folder: Path, rows: int) -> None:
    """A dataset whose manifest has `rows` rows and few pictures."""
    made = [_upright(row, members) for row, members in samples(PICTURES)]
    files = {row["key"]: members for row, members in made}
    run = {"config": load_config("default").model_dump(mode="json")}
    write_dataset(folder, [row for row, _ in made], [], lambda row: files[row["key"]], run, Card("Benchmark", "0", ()))
    manifest = pq.read_table(folder / "manifest.parquet")
    rng = np.random.default_rng(1)
    _save(folder / "manifest.parquet", _repeated(manifest, rows, rng))
    rejects = _repeated(manifest, rows // 10, rng)
    reasons = [rule.reason for rule in RULES]
    said = {
        "decision": ["rejected"] * len(rejects), "shard": [""] * len(rejects), "split": [""] * len(rejects),
        "reason": [reasons[i] for i in rng.integers(0, len(reasons), len(rejects))],
    }  # fmt: skip
    for name, values in said.items():
        rejects = rejects.set_column(rejects.schema.get_field_index(name), name, pa.array(values))
    _save(folder / "rejects.parquet", rejects.cast(pq.read_schema(folder / "rejects.parquet")))


def _upright(row: dict[str, Any], members: dict[str, bytes]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """With a body that stands before the camera, so that drawing it costs what it does."""
    standing = [np.pi, 0.0, 0.0] + [0.0] * 69
    row |= {"smpl_pose": standing, "smpl_betas": [0.0] * 10, "smpl_transl": [0.0, 0.3, 2.7]}
    row |= {"intrinsics": intrinsics().ravel().tolist()}
    sample = make_sample({name: row[name] for name in Sample.model_fields})
    return row, members | {"json": sample_to_json(sample)}


def _repeated(table: pa.Table, count: int, rng: np.random.Generator) -> pa.Table:
    """Rows again and again, each with its own angles and scores."""
    table = table.take(np.arange(count) % len(table))
    scores = {rule.score for rule in RULES if rule.score in Row.model_fields}
    spread = {"camera_yaw_deg": 80.0, "camera_pitch_deg": 12.0, "head_yaw_deg": 80.0, "margin": 0.3}
    for name in sorted(scores | spread.keys()):
        values = rng.normal(0, spread.get(name, 1.0), count).clip(-179, 179)
        values = np.abs(values) if name in scores else values
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(values))
    poses = pa.FixedSizeListArray.from_arrays(pa.array(rng.normal(0, 0.15, 6 * count)), 6)
    field = table.schema.field("neck_head_pose")
    return table.set_column(table.schema.get_field_index(field.name), field, poses.cast(field.type))


def _save(path: Path, table: pa.Table) -> None:
    schema = pq.read_schema(path)
    pq.write_table(table.cast(schema), path, compression="zstd", row_group_size=4096)


def main() -> None:
    """Print seconds and megabytes."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), rows)
        begun = time.perf_counter()
        done = report(folder)
        seconds = time.perf_counter() - begun
        print(f"{done.kept:,} kept, {done.rejected:,} rejected")
        print(f"report {seconds:.1f} s, {done.page.stat().st_size / 1e6:.1f} MB")
        if len(sys.argv) > 2:
            Path(sys.argv[2]).write_bytes(done.page.read_bytes())


if __name__ == "__main__":
    main()
