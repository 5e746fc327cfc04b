"""A plan of a million photos with stand-ins for the networks: real plan, units, executors, markers and finalise.

Each photo yields one person with a complete record and a stand-in for the picture; `--ms` lets it take as long as
networks would. What is printed: seconds and peak memory of each step, files and bytes, also for one photo.

    python benchmarks/scale.py /tmp/scale --photos 200000
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from stand_ins import PICTURE, WriteUnit, drawn

from phq.building.carrying import CarryUnits
from phq.building.executors.choice import Engine, Execution
from phq.building.finalise.dataset import Source, conclude_units, write_units
from phq.building.plan import Plan, close_work_folder, inputs_path, open_work_folder
from phq.building.running import run_plan
from phq.camera.angles import camera_angles
from phq.camera.convention import CONVENTION, intrinsics, orbit
from phq.config.build import load_config
from phq.dataset.card import Card
from phq.dataset.folder import INPUTS
from phq.people.person import Person, Photo
from phq.people.record import Source as PhotoSource
from phq.photos.discover import Found
from phq.schema import SCHEMA_VERSION, Sample, plain
from phq.stages.pipeline import Pipeline
from phq.system.atomic import write_bytes

SETS = ("luminance.min=0.1", "duplicates.reject=true", "duplicates.scene=true", "split.val_fraction=0.1")
"""Settings under which the stand-ins of `stand_ins` meet every kind of decision."""


@dataclass
class StandIn:
    """A stage that takes its time and yields one person with a record that is complete and all its own."""

    seconds: float
    name: str = "stand-in"

    def setup(self) -> None:
        """One record, of which all others differ in what has to differ."""
        rng = np.random.default_rng(0)
        self.record = {name: drawn(name, rng) for name in Sample.model_fields}
        self.record |= {"schema_version": SCHEMA_VERSION, "camera_convention": CONVENTION, "intrinsics": intrinsics()}
        self.record = plain(self.record)

    def process(self, photos: list[Photo]) -> None:
        """Each photo."""
        for photo in photos:
            time.sleep(self.seconds)
            digest = hashlib.sha256(photo.name.encode())
            rng = np.random.default_rng([*digest.digest()[:8]])
            photo.source, jpg = PhotoSource(digest.hexdigest(), 1, 1, False, 1.0), rng.bytes(PICTURE)
            record = self._record(photo, jpg, rng)
            person = Person.of(photo, record)
            person.key = record["key"]
            content = json.dumps(record, sort_keys=True, separators=(",", ":")).encode()
            person.members = {"jpg": jpg, "json": content, "mask.png": rng.bytes(200)}
            photo.people = [person]

    def _record(self, photo: Photo, jpg: bytes, rng: np.random.Generator) -> dict[str, Any]:
        camera = orbit(float(rng.integers(-179, 180)), 4.0)
        yaw, pitch, roll = camera_angles(camera)
        return plain(self.record | {
            "key": hashlib.sha256(jpg).hexdigest()[:16], "source_path": photo.name,
            "source_sha256": photo.source.source_sha256, "keypoints_3d": rng.random(99).tolist(),
            "smpl_pose": rng.random(72).tolist(), "cam2world": camera, "camera_yaw_deg": yaw,
            "camera_pitch_deg": pitch, "camera_roll_deg": roll, "phash": rng.bytes(8).hex(),
            "phash_mirror": rng.bytes(8).hex(), "blur": float(rng.random()), "appearance": rng.random(24).tolist(),
        })  # fmt: skip


def pipeline(seconds: float) -> Pipeline:
    """The stand-in alone."""
    return Pipeline([StandIn(seconds)])


class Clock:
    """Seconds of each step, those of its workers among them, and memory of this process."""

    def __init__(self, photos: int) -> None:
        self.photos = photos
        self.spent = 0.0

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure and print."""
        start, cpu = time.perf_counter(), spent_so_far()
        with Own() as own:
            yield
        wall, spent = time.perf_counter() - start, spent_so_far() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        self.spent += spent
        each = 1e6 * spent / self.photos
        memory = f"{peak:7.0f} MiB, {own.most:.0f} own"
        print(f"{name:<34} {wall:9.1f} s  {spent:9.1f} s CPU  {each:9.1f} µs a photo  {memory}", flush=True)


def spent_so_far() -> float:
    """CPU seconds of this process, and of its workers that have ended."""
    workers = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + workers.ru_utime + workers.ru_stime


class Own:
    """MiB of the process without the pages of files that it looks at, which the system takes back: the most so far."""

    def __init__(self) -> None:
        self.most = 0.0
        self._done = threading.Event()
        self._watch = threading.Thread(target=self._watched, daemon=True)

    def __enter__(self) -> Own:
        self._watch.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._watch.join()

    def _watched(self) -> None:
        status = Path("/proc/self/status")
        while status.exists() and not self._done.wait(0.2):
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
            self.most = max(self.most, int(lines["RssAnon"].split()[0]) / 1024)


def sizes(folder: Path) -> str:
    """Files and bytes below a folder."""
    files = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return f"{len(files)} files, {sum(files) / 1e9:.2f} GB"


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--photos", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="units from one template, to measure what follows them")
    parser.add_argument("--units-only", action="store_true", help="stop when all units are there; call again to go on")
    parser.add_argument("--ms", type=float, default=0.0, help="that a stand-in takes for a photo")
    options = parser.parse_args()
    clock, config = Clock(options.photos), load_config("everything", sets=SETS if options.quick else ())
    engine = Engine.inline if options.workers == 1 else Engine.processes
    how = Execution(engine=engine, workers=options.workers)
    with clock.step("list the photos"):
        names = (f"{number // 1000:05d}/{number:08d}.jpg" for number in range(options.photos))
        inputs = [Found(Path("/photos") / name, name, stamp=(1_000_000, "0")) for name in names]
    plan = Plan(inputs, config)
    with clock.step("hash and freeze the plan"):
        work = open_work_folder(options.out, plan)
    units = len(plan.units)
    carry = CarryUnits(partial(pipeline, options.ms / 1000), work)
    with clock.step(f"{units} units"):
        run_plan(replace(carry, carry=WriteUnit()) if options.quick else carry, plan, how, quiet=True)
    print(f"work folder: {sizes(work)}")
    with clock.step("restart that finds all of it done"):
        run_plan(CarryUnits(partial(pipeline, 0.0), work), plan, how, quiet=True)
    if options.units_only:
        return
    source = Source(work, units, config)
    clock.spent = 0.0
    with clock.step("gather, decide, duplicates, split"):
        outcome = conclude_units(options.out, source)
    with clock.step("shards, manifest, card"):
        counts = outcome.decisions.counts(options.photos)
        write_units(options.out, source, outcome, {"counts": counts}, Card("Stand-ins", "0", ()), how, sheet=False)
        write_bytes(options.out / INPUTS, inputs_path(work).read_bytes())
    print(f"finalise: {clock.spent:.0f} s CPU")
    with clock.step("remove the work folder"):
        close_work_folder(work)
    print(f"dataset: {sizes(options.out)}, {counts['kept']} kept")


if __name__ == "__main__":
    main()
