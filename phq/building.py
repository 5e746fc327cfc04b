"""`build`: a folder of photos becomes a dataset. What the command ``phq build`` does is this one call."""

from __future__ import annotations

import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from phq import __version__
from phq.config import Config, load_config
from phq.errors import OutputError, PhqError
from phq.executor import run_units
from phq.finalise import conclude, fetch_members, read_rows
from phq.photos.discover import Found, discover
from phq.pipeline import Pipeline, models_used, stages
from phq.plan import Plan, close_work_folder, open_work_folder
from phq.progress import Progress
from phq.shards.card import Card, Model
from phq.shards.owner import MANIFEST, check_folder
from phq.shards.write import write_dataset
from phq.sheet import write_contact_sheet
from phq.threads import available_cores, single_threaded
from phq.unit import UnitResult, run_unit, table_path
from phq.weights import checked_path, registry


@dataclass
class BuildResult:
    """What a build yielded, and where."""

    out: Path
    photos: int
    kept: list[dict[str, Any]]
    """Rows of the manifest, without storage columns."""
    rejects: list[dict[str, Any]]
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
        workers: processes, by default one a core; the result does not depend on it.
        fast: the smaller landmark network. seed: of the split. config: TOML file. sets: ``key=value`` each.
        quiet: no progress bar.

    Raises:
        ConfigError, InputError, OutputError, WeightError: with a sentence for the user; what was finished stays.
    """
    settings = load_config(preset, config, sets, size=size, fast=fast, seed=seed)
    folder = Path(out)
    plan = Plan(_inputs(photos, folder), settings)
    check_folder(folder)
    if (folder / MANIFEST).exists():
        raise OutputError(f"{folder} already holds a dataset; choose another folder (nothing is ever overwritten)")
    for name in models_used(settings):
        checked_path(name)
    work = open_work_folder(folder, plan)
    started = time.perf_counter()
    seconds = _compute(plan, work, workers or available_cores(), quiet)
    rows = read_rows(table_path(work, i) for i in range(len(plan.units)))
    kept, rejects = conclude(rows, settings)
    seconds["wall"] = time.perf_counter() - started
    result = BuildResult(folder, len(plan.inputs), kept, rejects, seconds)
    write_contact_sheet(folder / "contact-sheet.png", kept, partial(fetch_members, work))
    write_dataset(folder, kept, rejects, partial(fetch_members, work), run_record(result, plan), _card(settings))
    close_work_folder(work)
    return result


def _inputs(photos: str | Path, out: Path) -> list[Found]:
    """Inputs, without anything that lies in the output folder."""
    inside = out.resolve()

    def outside(found: Found) -> bool:
        folder = found.path.parent.resolve()  # of the folder, not the file: that may be a link to itself
        return inside != folder and inside not in folder.parents

    return [found for found in discover(photos) if outside(found)]


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
        "counts": {
            "photos": result.photos,
            "people": sum("person_index" in row for row in result.kept + result.rejects),
            "kept": len(result.kept),
            "rejected": dict(sorted(Counter(row["reason"] for row in result.rejects).items())),
        },
        "seconds": {name: round(value, 3) for name, value in sorted(result.seconds.items())},
    }


def _card(config: Config) -> Card:
    used = [registry()[name] for name in models_used(config)]
    models = tuple(Model(w.name, w.purpose, w.licence, w.source) for w in used)
    return Card("One-quarter headshots over 360°", __version__, models)
