"""Head yaw with and without a network in the slot `headpose`, by the side that the head is seen from.

python benchmarks/headpose.py DATASET PHOTOS TRUTH [SPEC]

DATASET was built from PHOTOS with the slot empty (`--preset everything`); TRUTH is a folder of renders or a JSON file
of headshots, as `phq evaluate pose` takes them. The fits are turned by the stage itself. Of renders, every
third (number divisible by 3) was held back when the gate was chosen; of headshots all were.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from phq.camera.angles import apart_deg, wrap_deg
from phq.curate.predictions.stored_pose import StoredPose
from phq.dataset.reader import Dataset
from phq.evaluate.headshots import subjects
from phq.evaluate.truth import matched
from phq.photos.discover import Found
from phq.photos.turn import turned
from phq.pose.orient.angles import angles_of
from phq.schema import BOX
from phq.stages.turn_head import TurnHead, head_box, in_view, turn_head, unasked

COLUMNS = ("key", "source_path", "shard", *BOX)
GROUPS = {
    "all": lambda yaw: yaw >= 0,
    "front": lambda yaw: yaw <= 60,
    "side": lambda yaw: (yaw > 60) & (yaw < 120),
    "back": lambda yaw: yaw >= 120,
}


def people(dataset: Path, truth: Path) -> Iterator[tuple[str, float, bool]]:
    """Key, true head yaw (degrees), and whether the gate was not chosen on this person."""
    if truth.is_dir():
        rows = Dataset(dataset, rejects=True, where="shard <> ''").columns(COLUMNS).to_pylist()
        for person, row in matched(rows, truth):
            if row is not None:
                yield row["key"], person.angles("head")[0], int(Path(person.image).stem) % 3 == 0
    else:
        for headshot, row, _ in subjects(dataset, truth):
            if row is not None and row["key"] and headshot.head_yaw_deg is not None:
                yield row["key"], headshot.head_yaw_deg, True


def yaws(dataset: Dataset, photos: Path, stage: TurnHead, key: str) -> tuple[float, float, float, float]:
    """Head yaw of the record, with the network, of the network alone (NaN if it is not asked), and its seconds."""
    row = dataset[key].row
    seen = StoredPose.of(row)
    person, own = seen.person, float(row["head_yaw_deg"])
    person.fit = seen.fit
    if unasked(seen.fit, stage.network.frontal):
        return own, own, float("nan"), 0.0
    path = photos / row["source_path"]
    pixels = turned(Found(path, row["source_path"]).decode().pixels, row["photo_turn_deg"])
    start = time.process_time()
    (head,) = stage.network.estimate([(pixels, head_box(seen.fit))])
    seconds = time.process_time() - start
    turn_head(person, head)
    moved = angles_of(person.fit.head_to_cam)[0] - angles_of(seen.fit.head_to_cam)[0]
    return own, wrap_deg(own + float(moved)), float(angles_of(in_view(person, head.rotation))[0]), seconds


def cell(errors: Any) -> str:
    return f"{np.median(errors):.1f} / {np.quantile(errors, 0.9):.0f} / {np.mean(errors > 90):.1%}"


def main(dataset: str, photos: str, truth: str, spec: str = "whenet") -> None:
    stage, opened = TurnHead(spec), Dataset(dataset, rejects=True)
    stage.setup()
    found = list(people(Path(dataset), Path(truth)))
    stated = np.array([yaws(opened, Path(photos), stage, key) for key, _, _ in found])
    true, held = (np.array([person[i] for person in found]) for i in (1, 2))
    print("| people | n | without | with | network alone |\n|---|---|---|---|---|")
    for part, of_part in (("chosen on", ~held), ("held back", held.astype(bool))):
        for name, group in GROUPS.items():
            inside = of_part & group(apart_deg(true, 0.0))
            if inside.any():
                off = [apart_deg(column[inside], true[inside]) for column in stated.T[:3]]
                cells = [cell(errors[np.isfinite(errors)]) for errors in off]
                print(f"| {part}, {name} | {inside.sum()} | {' | '.join(cells)} |")
    print(f"{1000 * stated[:, 3].sum() / max((stated[:, 3] > 0).sum(), 1):.0f} ms of processor time a head")


if __name__ == "__main__":
    main(*sys.argv[1:])
