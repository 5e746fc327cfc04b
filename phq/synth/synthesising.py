"""`synthesise`: a dataset of made-up people. What the command ``phq synth`` does is this one call."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from phq.building.carrying import CarryUnits
from phq.building.executors.choice import Execution, chosen_execution
from phq.building.finalise.dataset import Source, computed, conclude_units, write_units
from phq.building.finalise.result import Written
from phq.building.plan import Plan, close_work_folder, has_written, noted_id, open_work_folder
from phq.building.running import alone, check_free, run_plan
from phq.config.build import Config, load_config
from phq.dataset.card import Card
from phq.dataset.folder import MANIFEST, WORK
from phq.dataset.overlays import write_overlay
from phq.dataset.reader import Dataset
from phq.dataset.run import run_record
from phq.errors import ConfigError
from phq.people.person import Photo
from phq.photos.discover import Found
from phq.pose.body import load_body
from phq.pose.body_choice import body_entry, body_weight
from phq.stages.encode_sample import EncodeSample
from phq.stages.pipeline import Pipeline
from phq.synth.portrait import coarse, draw_portrait, render
from phq.synth.record import describe, pose_columns
from phq.synth.views import Spread
from phq.system.atomic import disk_errors_explained
from phq.system.version import __version__

COARSE = "coarse"
"""Overlay with perturbed poses; without it (``revision="none"``) a dataset has the exact ones."""
BODY_PURPOSE = "body model the people are drawn from"
COARSE_COLUMNS = ("neck_head_pose", "smpl_pose", "head_yaw_deg", "head_pitch_deg", "head_roll_deg")


class Synthesised(Written):
    """What was drawn, and where."""

    def __init__(self, out: Path, overlays: list[str]) -> None:
        super().__init__(out)
        self.overlays = overlays
        """Names of the overlays in force."""


@dataclass(frozen=True)
class _SynthPlan(Plan):
    spread: Spread

    @property
    def id(self) -> str:
        """As that of a build, with the distributions."""
        return hashlib.sha256(f"{super().id} {self.spread.model_dump_json()}".encode()).hexdigest()[:16]


@disk_errors_explained
def synthesise(  # noqa: PLR0913 - the options of the command
    out: str | Path,
    count: int,
    *,
    size: int = 256,
    seed: int = 0,
    val: float = 0.05,
    spread: Spread | None = None,
    execution: Execution | None = None,
    workers: int | None = None,
    quiet: bool = True,
) -> Synthesised:
    """Draw a dataset whose cameras, poses and masks are exact.

    Sample i depends on seed, i, size and spread alone, so a larger set holds the smaller one's samples, byte for byte.

    Args:
        out: folder of the dataset; made if needed. An interrupted call is continued.
        count: samples.
        size: side of the pictures, pixels, 64 to 2048.
        seed: of everything random.
        val: fraction in the split val.
        spread: distributions of cameras and head poses. With `pose_noise`, the overlay `COARSE` states perturbed
            poses of neck and head and is read by default; ``Dataset(out, revision="none")`` has the exact ones.
        execution: where the work is done and how it is watched, in place of `workers`; no result depends on it.
        workers: processes, by default as many as cores and memory have room for.
        quiet: no progress bar.

    Raises:
        ConfigError: a size, seed, fraction or count that cannot be.
        OutputError: the folder holds a dataset or something else, or cannot be written.
    """
    if count < 1:
        raise ConfigError(f"count = {count}: at least one is needed")
    how = chosen_execution(execution, workers)
    settings = f"split.val_fraction={float(val)}", "duplicates.bits=0"  # people who look alike are no duplicates here
    config = load_config("everything", sets=settings, size=size, seed=seed)
    names = [sample_name(seed, index) for index in range(count)]
    plan = _SynthPlan([Found(Path(name), name) for name in names], config, spread or Spread())
    folder = Path(out)
    if not _left_unfinished(folder, plan):
        check_free(folder)
    with alone(folder):
        if not _left_unfinished(folder, plan):
            check_free(folder)
        work = open_work_folder(folder, plan)
        if not (folder / MANIFEST).exists():
            _draw(folder, work, plan, how, quiet)
        if plan.spread.pose_noise and COARSE not in Dataset(folder).overlays:
            about = {"command": "synth", "version": __version__, "pose_noise_deg": plan.spread.pose_noise}
            samples = Dataset(folder).columns(["key", "source_path"]).to_pylist()
            write_overlay(folder, COARSE, _coarse_rows(samples, config, plan.spread), COARSE_COLUMNS, about)
        close_work_folder(work)
    return Synthesised(folder, Dataset(folder).overlays)


def _draw(folder: Path, work: Path, plan: _SynthPlan, execution: Execution, quiet: bool) -> None:
    """The dataset, without the overlay."""
    carry = CarryUnits(partial(_pipeline, plan.config, plan.spread), work)
    source = Source(work, len(plan.units), plan.config)

    def finish() -> None:
        outcome = conclude_units(folder, source)
        record = run_record(
            "synth",
            outcome.decisions.counts(len(plan.inputs)),
            config=plan.config,
            weights=[body_weight(load_body(), BODY_PURPOSE)],
            plan=plan.id,
            details={"spread": plan.spread.model_dump(mode="json")},
        )
        write_units(folder, source, outcome, record, _card(), execution, sheet=True)

    computed(work, lambda: run_plan(carry, plan, execution, quiet), finish)


def _left_unfinished(folder: Path, plan: _SynthPlan) -> bool:
    """A kill has left this very plan unfinished there, even if its dataset stands and only the overlay is missing."""
    this = noted_id(folder / WORK) == plan.fingerprint()
    return this and (has_written(folder) or not (folder / MANIFEST).exists())


def _pipeline(config: Config, spread: Spread) -> Pipeline:
    return Pipeline([DrawPortraits(config.seed, config.size, spread), EncodeSample(config.crop.jpeg_quality)])


def _coarse_rows(kept: list[dict[str, Any]], config: Config, spread: Spread) -> Iterator[dict[str, Any]]:
    for row in kept:
        portrait = draw_portrait(config.seed, sample_index(row["source_path"]), spread)
        stated = pose_columns(portrait, coarse(portrait, spread.pose_noise), config.size)
        yield {"key": row["key"], **{name: stated[name] for name in COARSE_COLUMNS}}


def _card() -> Card:
    body = body_entry(load_body(), BODY_PURPOSE)
    return Card("Made-up people over 360°", __version__, (body,))


def sample_name(seed: int, index: int) -> str:
    """``source_path`` and ``identity`` of a sample."""
    return f"synth-{seed}/{index:08d}"


def sample_index(name: str) -> int:
    """Number of the sample of this name."""
    return int(name.rpartition("/")[2])


class DrawPortraits:
    """Draws the picture, mask and record of every name; the same name gives the same bytes."""

    name = "draw"

    def __init__(self, seed: int, size: int, spread: Spread) -> None:
        self.seed, self.size, self.spread = seed, size, spread

    def setup(self) -> None:
        """Nothing to load: the body is read with the first picture."""

    def process(self, photos: list[Photo]) -> None:
        """Every photo that is not rejected yet, in place."""
        for photo in photos:
            if photo.rejected is not None:
                continue
            portrait = draw_portrait(self.seed, sample_index(photo.name), self.spread)
            describe(photo, portrait, *render(portrait, self.size))
