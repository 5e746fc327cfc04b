"""`build`: a folder of photos becomes a dataset. The command ``phq build`` is this one call."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from phq.building.carrying import CarryUnits, pipeline_of
from phq.building.executors.choice import Execution, chosen_execution
from phq.building.finalise.dataset import Outcome, Source, computed, conclude_units, write_units
from phq.building.finalise.extension import (
    add_units,
    conclude_extension,
    forget_if_added,
    known_photos,
    run_to_extend,
    settings_to_extend,
    since,
)
from phq.building.finalise.result import Written
from phq.building.finalise.stored_rejects import decide_stored
from phq.building.inputs import Difference
from phq.building.plan import (
    Plan,
    check_unreplaced,
    close_work_folder,
    drop_written_work,
    inputs_path,
    noted_kernels,
    open_work_folder,
    resumed,
)
from phq.building.running import EXTENDING, alone, check_free, run_plan
from phq.config.build import Video, load_config
from phq.dataset.card import TITLE, Card, stored_card
from phq.dataset.folder import INPUTS, MANIFEST
from phq.dataset.notebook import table
from phq.dataset.reader import Dataset
from phq.dataset.run import run_record, source_record
from phq.dataset.sidecar import Coverage, Sidecar, coverage, read_sidecar, sidecar_record
from phq.dataset.summary import yaw_histogram
from phq.errors import ConfigError, InputError
from phq.photos.contents import photos_of
from phq.photos.discover import Found
from phq.pose.body import load_body
from phq.pose.body_choice import body_entry, body_weight
from phq.stages.contract import wanted
from phq.stages.pipeline import foreign, stages, weights_used
from phq.system.atomic import disk_errors_explained, write_bytes
from phq.system.journal import Change, recover, stage
from phq.system.kernels import kernels, other_kernels
from phq.system.place import is_remote, is_url, place
from phq.system.version import __version__
from phq.weights.embedded import Weight
from phq.weights.licences import Model, notices

START_S, PHOTO_S = 5.0, 1.8
"""Seconds until a worker is ready, and those that it needs for a photo on an idle core (docs/build.md, Speed)."""


class BuildResult(Written):
    """The result of a build."""

    def __init__(
        self,
        out: Path,
        counts: dict[str, Any],
        models: tuple[Model, ...],
        coverage: Coverage | None,
        sectors: list[int],
        differs: Difference,
        seconds: dict[str, float],
    ) -> None:
        super().__init__(out)
        self.counts = counts
        """Photos, people, kept, and rejected by reason."""
        self.models = models
        """Everything that touched the dataset, with its licence."""
        self.coverage = coverage
        """Which photos have a row in the sidecar; None without one."""
        self.sectors = sectors
        """Kept people by the side that the camera sees, see `phq.dataset.card.YAW_SECTORS`."""
        self.differs = differs
        """How the photos differ from those that the build, or the dataset, had before."""
        self.seconds = seconds
        """Time inside each stage, summed over workers and all calls that worked on the build, and ``wall`` of this
        call."""

    def _repr_html_(self) -> str:
        """Its counts above some of its samples, for notebooks."""
        counts = {name: value for name, value in self.counts.items() if isinstance(value, int)}
        return table(counts, str(self.out)) + Dataset(self.out)._repr_html_()

    @cached_property
    def samples(self) -> int:
        """Samples in the dataset, those there were before an extension among them."""
        return len(Dataset(self.out))

    @property
    def photos(self) -> int:
        """Photos of the dataset, kept or not."""
        return int(self.counts["photos"])


@disk_errors_explained
def build(  # noqa: PLR0913 - the options of the command
    photos: str | Path,
    out: str | Path,
    *,
    preset: str | None = None,
    size: int | None = None,
    execution: Execution | None = None,
    workers: int | None = None,
    extend: bool = False,
    fast: bool | None = None,
    seed: int | None = None,
    config: Path | None = None,
    sets: Sequence[str] = (),
    keep_rejects: bool | None = None,
    sidecar: str | Path | None = None,
    quiet: bool = True,
) -> BuildResult:
    """Build a dataset of annotated one-quarter headshots.

    Args:
        photos: folder (searched recursively), list file, image, archive, image table, video, glob, or URL of fsspec's;
            see `phq.photos.contents.photos_of`; read only.
        out: folder or URL of the dataset; made if needed. An interrupted build is continued.
        preset: ``default``, ``strict``, ``upstream`` (360°PHQ's rules) or ``everything`` (no thresholds on scores).
        size: side of the crops, pixels.
        execution: where units are computed and how they are watched, in place of `workers`.
        workers: processes, by default one a core; the result does not depend on it. With more than one, a script
            that calls this needs ``if __name__ == "__main__":``, as always with `multiprocessing`.
        extend: photos may be new: only they are computed and added, to an unfinished build or to an existing dataset,
            see `phq.building.finalise.extension`; without other options the dataset's own apply.
        fast: the smaller landmark network.
        seed: of the split.
        config: TOML file.
        sets: ``key=value`` each.
        keep_rejects: store rejected people too; an overlay rejects them, see `phq.decisions.overlay`.
        sidecar: CSV, JSON or JSON lines with licence, author, source, identity and consent of the photos, see
            `phq.dataset.statements.parse_statements`. Photos of one identity stay on one side of the split.
        quiet: no progress bar, and no note on licences with conditions beyond attribution.

    Raises:
        ConfigError: a setting that is unknown, out of range, or differs from those of the dataset to extend.
        InputError: no photos, or a sidecar that cannot be used.
        OutputError: the folder holds a dataset or other files, or cannot be written; finished units stay.
        WeightError: a network is missing or damaged.
    """
    how = chosen_execution(execution, workers)
    folder = place(out)
    settings = load_config(preset, config, sets, size=size, fast=fast, seed=seed, keep_rejects=keep_rejects)
    existing = run_to_extend(folder) if extend and (folder / MANIFEST).exists() else None
    if existing is not None:
        given = any((preset, config, sets, fast, keep_rejects)) or size is not None or seed is not None
        settings = settings_to_extend(folder, existing, settings if given else None)
    if settings.keep_rejects and is_remote(folder):
        raise ConfigError("keep_rejects decides by an overlay, which only a dataset in a folder can have")
    stated = read_sidecar(Path(sidecar)) if sidecar is not None else None
    used = weights_used(settings)
    for line in () if quiet else notices(used):
        print(line, file=sys.stderr)
    digest = stated.sha256 if stated else ""
    inputs = _inputs(photos, folder, sidecar, settings.video, _unsaid if quiet else _said)
    stated = stated.spelled_as(found.name for found in inputs) if stated else None
    plan = Plan(inputs, settings, sidecar=digest, weights=foreign(used))
    job = Build(folder, plan, used, stated, how, quiet)
    result = _built(job, extend) if existing is None else _extended(job, existing)
    counted = {name: result.counts[name] for name in ("photos", "people", "kept")}
    how.log.write("done", **counted, seconds=rounded_seconds(result))
    return result


@dataclass(frozen=True)
class Build:
    """A build to be done."""

    folder: Path
    plan: Plan
    weights: Sequence[Weight]
    """Of the networks."""
    stated: Sidecar | None
    execution: Execution
    quiet: bool

    def complete(self, plan: Plan, work: Path, finish: Callable[[], BuildResult]) -> BuildResult:
        """Compute what is missing of a plan, `finish`, and remove the work folder."""
        result = computed(work, lambda: self._run(plan, work), finish)
        close_work_folder(work)
        return result

    def _run(self, plan: Plan, work: Path) -> None:
        carry, wants = CarryUnits(partial(pipeline_of, plan.config, self.stated), work), wanted(stages(plan.config))
        run_plan(carry, plan, self.execution, self.quiet, wants, _until_first)


def _built(job: Build, extend: bool) -> BuildResult:
    """A new dataset."""
    check_free(job.folder)
    started = time.perf_counter()
    with alone(job.folder):
        check_free(job.folder)
        before = resumed(job.folder, job.plan, extend)
        plan = before.plan
        work = open_work_folder(job.folder, plan, before.differs, before.extends)
        source = Source(work, len(plan.units), plan.config.when_stored())

        def finish() -> BuildResult:
            check_unreplaced(job.folder)
            job.execution.log.write("finalise", units=source.units)
            outcome = conclude_units(job.folder, source)
            result = _result(job, outcome, len(plan.inputs), before.differs, time.perf_counter() - started)
            write_bytes(job.folder / INPUTS, inputs_path(work).read_bytes())
            written = source, outcome, _record(job, result, plan, work), _card(result), job.execution
            if not plan.config.keep_rejects:
                write_units(job.folder, *written, sheet=True)
                return result
            with stage(job.folder) as change:
                write_units(job.folder, *written, sheet=True, tables=change.path(MANIFEST).parent)
                return _decided(job, change, outcome, result)

        return job.complete(plan, work, finish)


def _extended(job: Build, run: dict[str, Any]) -> BuildResult:
    """An existing dataset with the new photos."""
    started = time.perf_counter()
    with alone(job.folder, EXTENDING):
        recover(job.folder)
        drop_written_work(job.folder)
        known = known_photos(job.folder)
        if (others := other_kernels(run.get("kernels"))) and not job.quiet:
            _said(others)
        forget_if_added(job.folder / EXTENDING, known)
        differs = since(known, job.plan.inputs)
        new = frozenset(differs.new)
        fresh = [found for found in job.plan.inputs if found.name in new]
        if not fresh:
            close_work_folder(job.folder / EXTENDING)
            return _unchanged(job, run, differs)
        before = resumed(job.folder, replace(job.plan, inputs=fresh), extend=True, name=EXTENDING)
        plan = before.plan
        work = open_work_folder(job.folder, plan, before.differs, before.extends, EXTENDING)
        source = Source(work, len(plan.units), plan.config.when_stored())

        def finish() -> BuildResult:
            job.execution.log.write("finalise", units=source.units)
            with stage(job.folder) as change:
                outcome = conclude_extension(job.folder, source)
                result = _result(job, outcome, len(plan.inputs), differs, time.perf_counter() - started)
                add_units(change, source, outcome, plan.inputs, _extension_record(job, result, plan, work))
                return _decided(job, change, outcome, result) if plan.config.keep_rejects else result

        return job.complete(plan, work, finish)


def _decided(job: Build, change: Change, outcome: Outcome, result: BuildResult) -> BuildResult:
    """The result after the decision on the people of an outcome, who are all stored."""
    counts, yaws = decide_stored(change, job.plan.config, outcome)
    result.counts |= counts
    result.sectors = yaw_histogram(yaws)
    return result


def _unchanged(job: Build, run: dict[str, Any], differs: Difference) -> BuildResult:
    none = {"photos": 0, "people": 0, "kept": 0, "rejected": {}}
    return BuildResult(job.folder, none, stored_card(run).models, None, [0] * 8, differs, {})


def _result(job: Build, outcome: Outcome, photos: int, differs: Difference, wall: float) -> BuildResult:
    passed = outcome.stages
    seconds = {name: count.seconds for name, count in passed.items()} | {"wall": wall}
    met = coverage(job.stated, outcome.photos) if job.stated else None
    counts = outcome.decisions.counts(photos)
    sectors = yaw_histogram(outcome.decisions.kept_yaws())
    job.execution.log.write("rejects", **counts["rejected"])
    counts["stages"] = {
        name: {"photos": count.photos, "people": count.people, "rejected": count.rejected}
        for name, count in passed.items()
    }
    return BuildResult(job.folder, counts, models_of(job.weights), met, sectors, differs, seconds)


def _until_first(photos: int) -> str:
    """What is said before the first unit, of so many photos, is done."""
    seconds = round(START_S + photos * PHOTO_S, -1)
    return f"workers load the networks; the first counts come in about {seconds:.0f} s, later on a busy machine"


def _said(sentence: str) -> None:
    print(f"phq: {sentence}", file=sys.stderr)


def _unsaid(sentence: str) -> None:
    """Nobody listens."""


def _inputs(
    photos: str | Path, out: Path, sidecar: str | Path | None, video: Video, say: Callable[[str], None]
) -> list[Found]:
    """Inputs, without the sidecar and anything in the output folder."""
    if is_url(photos):
        return photos_of(photos, video, say=say)
    inside = None if is_remote(out) else out.resolve()
    beside = None if sidecar is None or is_url(sidecar) else _place(Path(sidecar))
    left_out = {"sidecar": 0, "output": 0}

    def is_ours(found: Found) -> bool:
        place = _place(found.path)
        left_out["sidecar"] += place == beside
        left_out["output"] += place != beside and inside in place.parents
        return place == beside or inside in place.parents  # None is in no list of parents

    inputs = photos_of(photos, video, is_ours, say)
    if not inputs and not left_out["output"]:
        raise InputError(f"there is nothing but the sidecar in {photos}")
    if not inputs:
        raise InputError(f"every photo is in the output folder {out}; choose another folder for the dataset")
    return inputs


def _place(path: Path) -> Path:
    """Absolute, with the links of the folder resolved, not of the file: that may be a link to itself."""
    return path.parent.resolve() / path.name


def _record(job: Build, result: BuildResult, plan: Plan, work: Path) -> dict[str, Any]:
    """Content of ``run.json``."""
    begun = noted_kernels(work) or kernels()
    return run_record(
        "build",
        result.counts,
        details={} if begun == kernels() else {"begun_with": begun},
        config=plan.config,
        weights=[*job.weights, body_weight(load_body())],
        plan=plan.id,
        sidecar=sidecar_record(plan.sidecar, result.coverage),
        seconds=result.seconds,
    )


def rounded_seconds(result: BuildResult) -> dict[str, float]:
    """For the record and the log."""
    return {name: round(value, 3) for name, value in sorted(result.seconds.items())}


def _extension_record(job: Build, result: BuildResult, plan: Plan, work: Path) -> dict[str, Any]:
    """Entry of an extension in ``run.json``."""
    changed = {"changed": len(result.differs.changed), "vanished": len(result.differs.vanished)}
    return source_record(_record(job, result, plan, work), **changed)


def _card(result: BuildResult) -> Card:
    return Card(TITLE, __version__, result.models)


def models_of(weights: Iterable[Weight], body: bool = True) -> tuple[Model, ...]:
    """Networks, and the body model if it takes part, with their licences."""
    networks = [Model(w.name, w.purpose, w.licence, w.source) for w in weights]
    return *networks, *([body_entry(load_body())] if body else [])
