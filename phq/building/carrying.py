"""The work that executors do for a plan: a unit of photos through a pipeline, as
`phq.building.executors.contract.Work`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from phq.building.executors.contract import OPENED, OPENING, Notify, Refusal, Task
from phq.building.plan import NOTE
from phq.building.unit import UnitResult, opened, run_unit
from phq.config.build import Config
from phq.dataset.sidecar import Sidecar
from phq.people.person import Photo
from phq.photos.discover import Found
from phq.stages.pipeline import Pipeline, stages
from phq.system.threads import reproducible
from phq.weights.digest import sha256_of


class RunUnit(Protocol):
    """Carries a unit's inputs through the pipeline into a folder, see `phq.building.unit.run_unit`. Picklable."""

    def __call__(
        self, pipeline: Pipeline, inputs: Sequence[Any], work: Path, number: int, refused: Mapping[int, Refusal]
    ) -> UnitResult:
        """Run it; the photos in `refused` (by index) become rejects and are not touched."""


@dataclass(frozen=True)
class Carried:
    """A unit that is done."""

    number: int
    result: UnitResult
    seconds: float
    """Of the clock on the wall, with reading and writing."""

    def facts(self) -> dict[str, Any]:
        """For the log."""
        stages = {name: round(count.seconds, 4) for name, count in self.result.stages.items()}
        counts = {"photos": self.result.photos, "kept": self.result.kept, "rejected": dict(self.result.reasons)}
        return {"unit": self.number, **counts, "seconds": round(self.seconds, 3), "stages": stages}


@dataclass(frozen=True)
class CarryUnits:
    """Makes a pipeline once a worker and carries units through it into the work folder. Its parts are picklable."""

    make_pipeline: Callable[[], Pipeline]
    work: Path
    carry: RunUnit = run_unit
    open_input: Callable[[Any, Refusal | None], Photo] = opened
    """Makes the photo of an input."""

    def setup(self) -> Pipeline:
        """Make the pipeline, which loads its networks when the first photos are read."""
        with reproducible():
            return self.make_pipeline()

    def run(self, state: Pipeline, task: Task, notify: Notify) -> Carried:
        """One unit into the work folder."""
        _watched(state, notify)
        start = time.perf_counter()
        with reproducible():
            result = self.carry(state, task.items, self.work, task.number, task.refused)
        return Carried(task.number, result, time.perf_counter() - start)

    def run_alone(self, state: Pipeline, task: Task, item: int, notify: Notify) -> None:
        """One photo, and nothing is written."""
        _watched(state, notify)
        with reproducible():
            for _ in state.each([self.open_input(task.items[item], None)]):
                pass

    def sees(self, task: Task) -> dict[str, str]:
        """The plan's note in the work folder, and whether the first photo is there."""
        note = self.work / NOTE
        seen = {str(self.work): sha256_of(note) if note.exists() else "nothing"}
        first: Found = task.items[0]
        return seen | {str(first.path): "a file" if first.path.exists() else "nothing"}


def pipeline_of(config: Config, sidecar: Sidecar | None) -> Pipeline:
    """The pipeline of a build; here, and not where builds are directed, so that workers load nothing of that."""
    return Pipeline(stages(config, sidecar))


def _watched(pipeline: Pipeline, notify: Notify) -> None:
    pipeline.notify, pipeline.opening = notify, lambda begins: notify(OPENING if begins else OPENED)
