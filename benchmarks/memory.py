"""Memory of one worker over a long build: resident now and at most, after so many photos.

    python benchmarks/memory.py 2000 [--photos examples/photos] [--stand-ins] [--set fast=true --set size=256]

The photos are copies of those given, each cut a few pixels differently, so that no two files or crops are alike. With
``--stand-ins`` every network answers from a table (what it has once said, whatever it is shown), so that 20,000 photos
are affordable: everything else is the real worker, reading and encoding included. Linux only.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import resource
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from PIL import Image

from phq.building.carrying import CarryUnits, pipeline_of
from phq.building.executors.choice import Engine, Execution
from phq.building.plan import Plan, open_work_folder
from phq.building.running import run_plan
from phq.config.build import Config, load_config
from phq.photos.discover import discover
from phq.stages.contract import wanted
from phq.stages.pipeline import Pipeline, stages
from phq.system.logs import RunLog

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples" / "photos"
POINTS = 20
"""Lines that are printed, at least, over the whole run."""
EARLY = 200
"""Photos after which memory is not to grow any more."""


class Answers:
    """Takes the place of a session: its first answer for each shape of input is its answer for ever."""

    def __init__(self, session: Any) -> None:
        self._session, self._known = session, {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run(self, names: Any, feed: dict[str, Any]) -> Any:
        """As a session's, with arrays of its own each time."""
        shapes = str({name: value.shape for name, value in feed.items()})
        if shapes not in self._known:
            self._known[shapes] = self._session.run(names, feed)
        return [value.copy() for value in self._known[shapes]]


def stood_in(config: Config) -> Pipeline:
    """The pipeline with `Answers` in place of sessions, warmed up on one photo so that the answers show a person."""
    from phq.weights import devices

    real = devices.open_onnx
    devices.open_onnx = lambda *words, **named: Answers(real(*words, **named))
    pipeline = pipeline_of(config, None)
    portrait = next(iter(discover(EXAMPLES / "scikit-image-0.26.0__astronaut.png")))
    from phq.building.unit import opened

    pipeline.run([opened(portrait, None)])
    return pipeline


@dataclass
class Watch(io.TextIOBase):
    """A log that looks at the worker whenever a unit is done."""

    every: int
    photos: int = 0
    seen: list[tuple[int, float, float]] = field(default_factory=list)

    def write(self, text: str) -> int:
        """One line of the log, or its end."""
        if text.strip() and (event := json.loads(text))["event"] == "unit_done":
            self.photos += event["photos"]
            if self.photos // self.every > (self.seen[-1][0] // self.every if self.seen else 0):
                self.seen.append((self.photos, *self._worker()))
                print("{:7d} photos  {:6.0f} MiB  at most {:6.0f} MiB".format(*self.seen[-1]), flush=True)
        return len(text)

    def _worker(self) -> tuple[float, float]:
        worker, *_ = multiprocessing.active_children()
        lines = Path(f"/proc/{worker.pid}/status").read_text(encoding="ascii").splitlines()
        words = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Vm")}
        return int(words["VmRSS"]) / 1024, int(words["VmHWM"]) / 1024


def copies(photos: Path, folder: Path, number: int) -> None:
    """So many photos, no two alike."""
    originals = []
    for found in discover(photos):
        try:
            with Image.open(found.path) as opened:
                originals.append(opened.convert("RGB"))
        except OSError:
            continue
    for i in range(number):
        picture, (x, y) = originals[i % len(originals)], (i // len(originals) % 13, i // len(originals) // 13)
        inside = (x, y % 97, picture.width - x % 5, picture.height - y // 97)
        picture.crop(inside).save(folder / f"{i:06d}.jpg", quality=92)


def main(
    number: Annotated[int, typer.Argument(help="Photos.")],
    photos: Annotated[Path, typer.Option(help="Those that are copied.")] = EXAMPLES,
    stand_ins: Annotated[bool, typer.Option("--stand-ins", help="Networks answer from a table.")] = False,
    set_: Annotated[list[str] | None, typer.Option("--set", help="key=value of the configuration.")] = None,
) -> None:
    """Print the curve."""
    config = load_config("everything", sets=set_ or ())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "photos").mkdir()
        copies(photos, folder / "photos", number)
        plan = Plan(discover(folder / "photos"), config)
        work = open_work_folder(folder / "out", plan)
        make = partial(stood_in, config) if stand_ins else partial(pipeline_of, config, None)
        watch = Watch(max(1, min(EARLY, number // POINTS)))
        how = Execution(Engine.processes, 1, log=RunLog(watch))
        run_plan(CarryUnits(make, work), plan, how, quiet=True, wants=wanted(stages(config)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    soon = min(EARLY, number // 2)
    early = next(most for done, _, most in watch.seen if done >= soon)
    print(f"peak at the end / after {soon} photos: {watch.seen[-1][2] / early:.2f}; parent at most {peak:.0f} MiB")


if __name__ == "__main__":
    typer.run(main)
