"""Running a plan: every unit that is not finished yet, by one or several workers, with its progress shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path

from phq.building.carrying import CarryUnits
from phq.building.executors.choice import Execution
from phq.building.executors.contract import Event, Task
from phq.building.plan import NOTE, Plan, close_work_folder, drop_written_work, noted_kernels
from phq.building.progress import Progress
from phq.dataset.folder import MANIFEST, WORK, check_folder, unfinished
from phq.errors import OutputError, PhqError
from phq.photos.discover import Found
from phq.system.atomic import output_errors
from phq.system.journal import recover
from phq.system.kernels import other_kernels
from phq.system.locking import LOCK, alone_in
from phq.system.logs import RunLog
from phq.system.place import is_remote
from phq.system.resources import Resources, together

EXTENDING = f"{WORK}-extend"
"""Work folder of an extension, in the folder of a finished dataset."""


def check_free(folder: Path) -> None:
    """Refuse an output folder with a finished dataset or files that phq did not write.

    Raises:
        OutputError: names the file that is in the way.
    """
    if not is_remote(folder):
        recover(folder)
    check_folder(folder)
    if (folder / MANIFEST).exists():
        drop_written_work(folder)
        raise OutputError(
            f"{folder} already holds a dataset; choose another folder (nothing is ever overwritten), or add photos to "
            "one that phq build has made with --extend"
        )


def check_new(folder: Path) -> None:
    """As `check_free`, for what is not a build itself: an unfinished one would replace what is written beside it.

    Raises:
        OutputError: names what is in the way.
    """
    check_free(folder)
    if begun := unfinished(folder):
        raise OutputError(f"{begun}; choose another folder")


@contextmanager
def alone(folder: Path, name: str = WORK) -> Iterator[None]:
    """Keep other processes from writing a dataset in `folder` until the end of the block.

    Raises:
        OutputError: one does already, or the folder cannot be made.
    """
    work = folder / name
    with output_errors(work):
        made = [path for path in (folder, *folder.parents) if not path.exists()] if not is_remote(folder) else []
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with alone_in(work, f"another phq process is building in {folder}; wait until it has finished"):
            begun_before = (work / NOTE).exists()
            try:
                yield
            except PhqError:
                if not begun_before:
                    _drop_if_unstarted(work)
                raise
            finally:
                _drop_if_empty(work)
    finally:
        for path in made:
            with suppress(OSError):  # not empty: something was done
                path.rmdir()


def _drop_if_empty(work: Path) -> None:
    """Leave no work folder where nothing was planned; the caller holds the lock in it."""
    if is_remote(work) or not work.exists() or (work / NOTE).exists():
        return
    if all(path.name == LOCK for path in work.iterdir()):
        close_work_folder(work)


def _drop_if_unstarted(work: Path) -> None:
    """Leave no plan of which nothing was done, such as one that no executor would take."""
    if is_remote(work) or not work.exists():
        return
    if all(path.name in (LOCK, NOTE) or path.name.startswith("inputs-") for path in work.iterdir()):
        close_work_folder(work)


def finished_units(work: Path) -> set[int]:
    """Numbers of the units whose table is there."""
    return {int(path.stem) for path in work.glob("*.parquet") if path.stem.isdigit()}


def run_plan(
    carry: CarryUnits,
    plan: Plan,
    execution: Execution,
    quiet: bool,
    wants: Resources | None = None,
    until_first: Callable[[int], str] | None = None,
) -> None:
    """Run what is missing of a plan.

    Args:
        carry: the work on a unit, with the plan's open work folder.
        plan: of the build.
        execution: where the work is done.
        quiet: no progress bar.
        wants: resources of a worker; by default a core and the memory of a small process.
        until_first: what to say until the first unit, of so many photos, is done.

    Raises:
        PhqError: worker processes die, or the error of a unit. Finished units stay.
    """
    finished, units = finished_units(carry.work), plan.units
    missing = [number for number in range(len(units)) if number not in finished]
    done = len(plan.inputs) - sum(len(units[number]) for number in missing)
    execution.log.write("started", photos=len(plan.inputs), photos_done=done, units=len(units), missing=len(missing))
    if not missing:
        return
    tasks = (Task(number, units[number]) for number in missing)
    others = other_kernels(noted_kernels(carry.work)) if finished else None
    with Progress(len(plan.inputs), done, quiet) as progress:
        if until_first:
            progress.remark(f"{len(plan.inputs) - done} photos; {until_first(len(units[missing[0]]))}")
        if others:
            progress.remark(others)
            execution.log.write("other_kernels", detail=others)
        report = partial(_report, units, execution.log, progress)
        with closing(execution.executor(wants or together([]), len(missing)).run(carry, tasks, report)) as results:
            for carried in results:
                progress.add(carried.result)
                execution.log.write("unit_done", **carried.facts())
                for photo, remark in carried.result.remarks.items():
                    execution.log.write("remark", unit=carried.number, photo=photo, detail=remark)
                    progress.remark(f"{photo}: {remark}")


def _report(units: Sequence[Sequence[Found]], log: RunLog, progress: Progress, event: Event) -> None:
    """Report an event of a worker on the terminal and in the log."""
    photo = "" if event.item is None else units[event.task][event.item].name
    log.write(event.kind, unit=event.task, photo=photo, detail=event.detail)
    if event.kind == "refused":
        progress.remark(f"{photo} is rejected, {event.detail}")
    elif event.detail:
        progress.remark(f"a worker {event.detail} at {photo or f'unit {event.task}'}")
