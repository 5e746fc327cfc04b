"""Running a plan: every unit that is not finished yet, by one or several workers, with its progress shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phq.errors import OutputError, PhqError
from phq.executor import run_units
from phq.pipeline import Pipeline
from phq.plan import WORK, Plan, close_work_folder
from phq.progress import Progress
from phq.shards.owner import MANIFEST, check_folder
from phq.threads import single_threaded
from phq.unit import UnitResult, run_unit, table_path


def check_free(folder: Path) -> None:
    """Refuse an output folder that somebody else's files or a finished dataset lie in.

    Raises:
        OutputError: with what is in the way.
    """
    check_folder(folder)
    if (folder / MANIFEST).exists():
        close_work_folder(folder / WORK)  # what a kill after the last write may have left
        raise OutputError(f"{folder} already holds a dataset; choose another folder (nothing is ever overwritten)")


RunUnit = Callable[[Pipeline, list[Any], Path, int], UnitResult]
"""Carries a unit's inputs through the pipeline into the work folder, see `phq.unit.run_unit`."""


@dataclass(frozen=True)
class _Job:
    number: int
    inputs: list[Any]
    work: Path
    run: RunUnit


def _run_job(pipeline: Pipeline, job: _Job) -> UnitResult:
    with single_threaded():
        return job.run(pipeline, job.inputs, job.work, job.number)


def run_plan(
    setup: Callable[[], Pipeline], plan: Plan, work: Path, workers: int, quiet: bool, run: RunUnit | None = None
) -> dict[str, float]:
    """Run what is missing of a plan; seconds inside each stage, summed over workers.

    Args:
        setup: makes the pipeline, once a worker; must be picklable. work: the plan's open work folder.
        run: what is done with each unit, picklable too; `phq.unit.run_unit` by default.

    Raises:
        PhqError: a worker process died; or whatever a unit raised. Finished units stay.
    """
    todo = run or run_unit
    missing = [_Job(i, unit, work, todo) for i, unit in enumerate(plan.units) if not table_path(work, i).exists()]
    done = len(plan.inputs) - sum(len(job.inputs) for job in missing)
    seconds: defaultdict[str, float] = defaultdict(float)
    with Progress(len(plan.inputs), done, quiet) as progress:
        for result in _results(setup, missing, min(workers, max(1, len(missing)))):
            progress.add(result)
            for stage, spent in result.seconds.items():
                seconds[stage] += spent
    return seconds


def _results(setup: Callable[[], Pipeline], jobs: list[_Job], workers: int) -> Iterator[UnitResult]:
    try:
        yield from run_units(setup, _run_job, jobs, workers)
    except BrokenProcessPool as error:
        raise PhqError(
            "a worker process died (out of memory?); finished photos are kept, the same command continues, "
            "and --workers 1 needs the least memory"
        ) from error
