"""Self-learning of poses on real people: is what the discriminator reads off pictures nearer to the truth than the
labels that it was trained with?

    python benchmarks/self_learning.py noise DATASET…      an overlay `coarse`: every neck and head off by 10° an axis
    python benchmarks/self_learning.py table RUN[:IMAGES]… --on DATASET[:SPLIT]…

`phq synth --pose-noise 10` writes such an overlay itself. What is held against is the revision below: exact for drawn
people, what `phq build` found for real ones. Between the two: `phq gan train SYNTHETIC PHOTOS --revision coarse`.
`table` prints mean errors in degrees of neck, head, and head on torso: of the coarse labels, of one pose for all, and
of each run's discriminator, then of its poses taken by `phq annotate --predictions`, in place of the coarse labels and
fused with them (in a copy of the dataset, which is dropped).
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

os.environ.setdefault("OMP_NUM_THREADS", "1")

from phq.curate.predictions.annotation import FUSE, REPLACE, Predictions, annotate_from_predictions
from phq.dataset.overlays import NONE, write_overlay
from phq.dataset.reader import Dataset
from phq.generator.evaluate.material import true_poses
from phq.generator.evaluate.poses import PARTS, mean_pose, pose_errors, stated_poses
from phq.generator.evaluate.poses_file import pose_lines, write_poses
from phq.synth.synthesising import COARSE
from phq.system.arrays import Floats

NOISE_DEG = 10.0
SEED = 18


def noise(folder: Path) -> None:
    """Put the overlay on a dataset; angles of the head and SMPL's pose follow, as predictions have them."""
    whole = Dataset(folder)
    off = np.random.default_rng(SEED).normal(0, np.radians(NOISE_DEG), (len(whole), 6))
    rows = []
    for item, turn in zip(whole, off, strict=True):
        pose = np.add(item.row["neck_head_pose"], turn)
        body = np.reshape(item.row["smpl_pose"], (24, 3)).copy()
        body[[12, 15]] = pose.reshape(2, 3)
        rows.append({"key": item.row["key"], "neck_head_pose": pose, "smpl_pose": body.ravel()})
    about = {"command": "benchmarks/self_learning.py", "pose_noise_deg": NOISE_DEG}
    write_overlay(folder, COARSE, rows, ["neck_head_pose", "smpl_pose"], about)


def table(runs: list[str], datasets: list[str]) -> None:
    """Print it, a row a source of poses."""
    print(
        f"| mean error, degrees | {' | '.join(part.replace('_', ' ') for part in PARTS)} |\n|---|{'---|' * len(PARTS)}"
    )
    for word in datasets:
        folder, _, split = word.partition(":")
        coarse = Dataset(folder, split=split or None, revision=COARSE)
        truth = true_poses(coarse, folder, NONE)
        print(f"| **{word}, {len(coarse)} people** | | | |")
        for name, poses in _sources(runs, Path(folder), coarse):
            errors = pose_errors(poses, truth)
            cells = " | ".join(f"{errors[part]['mean']:.1f}" for part in PARTS)
            print(f"| {name} | {cells} |", flush=True)


def _sources(runs: list[str], folder: Path, coarse: Dataset) -> Iterator[tuple[str, Floats]]:
    labels, everybody = stated_poses(coarse), Dataset(folder, revision=COARSE)
    constant = np.broadcast_to(mean_pose(labels), (len(everybody), 6))
    yield "coarse labels", labels
    yield "their mean", constant[: len(coarse)]
    with tempfile.TemporaryDirectory() as work:
        file = Path(work) / "mean.jsonl"
        file.write_text("".join(pose_lines(everybody.keys, _cameras(everybody), constant)), encoding="utf-8")
        yield "labels fused with their mean", _taken(file, FUSE, folder, coarse)
        for number, run in enumerate(runs):
            where, _, images = run.partition(":")
            file = Path(work) / f"{number}.jsonl"
            write_poses(where, folder, file, checkpoint=int(images) if images else None, revision=COARSE)
            yield f"{run}", _taken(file, REPLACE, folder, coarse)
            yield f"labels fused with {run}", _taken(file, FUSE, folder, coarse)


def _cameras(dataset: Dataset) -> Floats:
    """(N, 16)"""
    return np.array(dataset.columns(["cam2world"])["cam2world"].to_pylist())


def _taken(file: Path, mode: str, folder: Path, coarse: Dataset) -> Floats:
    """(N, 6) of the samples in `coarse` after ``phq annotate --predictions`` in a copy of the dataset."""
    with tempfile.TemporaryDirectory() as work:
        copy = Path(shutil.copytree(folder, Path(work) / "dataset"))
        found = Predictions(file, "headpose", "headshot", mode, source="discriminator", trusted=True)
        annotate_from_predictions(copy, "seen", found, revision=COARSE)
        new = Dataset(copy, revision="seen")
        return stated_poses(new.select([new.index_of(key) for key in coarse.keys]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    noisy = parts.add_parser("noise")
    noisy.add_argument("datasets", nargs="+", type=Path)
    printed = parts.add_parser("table")
    printed.add_argument("runs", nargs="+")
    printed.add_argument("--on", nargs="+", required=True)
    arguments = parser.parse_args()
    if arguments.part == "noise":
        for folder in arguments.datasets:
            noise(folder)
    else:
        table(arguments.runs, arguments.on)


if __name__ == "__main__":
    main()
