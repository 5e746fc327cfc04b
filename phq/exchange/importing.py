"""`import_labels`: a labelled image set of one of the four generators as a phq dataset."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from phq.building.carrying import CarryUnits
from phq.building.executors.choice import Execution, chosen_execution
from phq.building.finalise.dataset import Source, computed, conclude_units, write_units
from phq.building.finalise.result import Written
from phq.building.plan import Plan, close_work_folder, open_work_folder
from phq.building.running import alone, check_free, run_plan
from phq.config.build import Config, load_config
from phq.dataset.card import Card
from phq.dataset.run import run_record
from phq.dataset.sidecar import Coverage, Sidecar, coverage, read_sidecar, sidecar_record
from phq.errors import InputError
from phq.exchange.archive import INDEX, LabelledSet
from phq.exchange.formats import label_format
from phq.exchange.reading import ReadLabelled, labels_of
from phq.photos.discover import Found
from phq.stages.encode_sample import EncodeSample
from phq.stages.pipeline import Pipeline
from phq.stages.state_provenance import StateProvenance
from phq.system.atomic import disk_errors_explained
from phq.system.version import __version__


class Imported(Written):
    """What an import yielded, and where."""

    def __init__(self, out: Path, coverage: Coverage | None) -> None:
        super().__init__(out)
        self.coverage = coverage
        """How pictures and rows of the sidecar met; None without one."""


@dataclass(frozen=True)
class _Source:
    """A labelled set and how to read it."""

    path: Path
    format: str
    masks: Path | None


@dataclass(frozen=True)
class _ImportPlan(Plan):
    source: _Source

    @property
    def id(self) -> str:
        """As that of a build, with what distinguishes two imports."""
        masks = self.source.masks.name if self.source.masks else ""
        text = f"{super().id} {self.source.format} {self.source.path.name} {masks}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@disk_errors_explained
def import_labels(  # noqa: PLR0913 - the options of the command
    source: str | Path,
    out: str | Path,
    format: str,
    masks: str | Path | None = None,
    *,
    sidecar: str | Path | None = None,
    seed: int | None = None,
    execution: Execution | None = None,
    workers: int | None = None,
    quiet: bool = True,
) -> Imported:
    """Make a phq dataset of a zip or folder with ``dataset.json``; an interrupted import is continued.

    Each picture is stored as it is (as JPEG), and its label becomes a phq camera, see `phq.exchange.formats`; what
    such a set does not know is marked as unknown, see `phq.exchange.reading`. Mirrored copies (``NAME_mirror.png``
    beside ``NAME.png``) are rejects: a loader mirrors, and in two splits they would leak. Exact copies are rejects too,
    look-alikes are marked; of all thresholds only that of a refused consent is applied.

    Args:
        source: zip or folder with ``dataset.json``; read only.
        out: folder of the dataset; made if needed.
        format: a name of `phq.exchange.formats.FORMATS`.
        masks: zip or folder with a mask for each picture, of the same name but for the suffix.
        sidecar: licence, author, source, identity and consent of the pictures, as for `phq.building.build.build`; paths
            are names in the set.
        seed: random seed of the split.
        execution: where the work is done and how it is watched, in place of `workers`; no result depends on it.
        workers: processes, by default as many as cores and memory have room for.
        quiet: no progress bar.

    Raises:
        ConfigError: unknown format.
        InputError: no such set, pictures without label or mask, labels of another length.
        OutputError: the folder holds a dataset or something else, or cannot be written.
    """
    how = chosen_execution(execution, workers)
    folder, origin = Path(out), _Source(Path(source), format, Path(masks) if masks else None)
    stated = read_sidecar(Path(sidecar)) if sidecar is not None else None
    config = load_config("everything", seed=seed)
    plan = _ImportPlan(_checked_names(origin), config, origin, sidecar=stated.sha256 if stated else "")
    stated = stated.spelled_as(found.name for found in plan.inputs) if stated else None
    check_free(folder)
    with alone(folder):
        check_free(folder)
        work = open_work_folder(folder, plan)
        carry = CarryUnits(partial(_pipeline, plan.source, plan.config, stated), work)
        finished = Source(work, len(plan.units), config)

        def finish() -> Imported:
            outcome = conclude_units(folder, finished)
            met = coverage(stated, outcome.photos) if stated else None
            record = run_record(
                "import",
                outcome.decisions.counts(len(plan.inputs)),
                config=plan.config,
                plan=plan.id,
                sidecar=sidecar_record(plan.sidecar, met),
                details={"source": _origin(plan.source)},
            )
            card = Card(f"Headshots with the labels of {format}", __version__, ())
            write_units(folder, finished, outcome, record, card, how, sheet=False)
            return Imported(folder, met)

        done = computed(work, lambda: run_plan(carry, plan, how, quiet), finish)
        close_work_folder(work)
    return done


def _checked_names(source: _Source) -> list[Found]:
    """Every picture of the set, which must have a label of the right length and, where masks are given, a mask."""
    kind, pictures = label_format(source.format), LabelledSet(source.path)
    names, labels = pictures.names(), labels_of(pictures)
    _refuse("no label in " + INDEX, [name for name in names if name not in labels])
    _refuse(
        f"a label of another length than the {kind.numbers} numbers of {kind.name}",
        [name for name in names if not isinstance(labels[name], list) or len(labels[name]) != kind.numbers],
    )
    if source.masks:
        stems = {str(Path(name).with_suffix("")) for name in LabelledSet(source.masks).names()}
        _refuse("no mask", [name for name in names if str(Path(name).with_suffix("")) not in stems])
    return [Found(source.path / name, name) for name in names]


def _refuse(what: str, names: list[str]) -> None:
    if names:
        raise InputError(f"{len(names)} pictures have {what}, the first is {names[0]}")


def _pipeline(source: _Source, config: Config, sidecar: Sidecar | None) -> Pipeline:
    read = ReadLabelled(source.path, source.format, source.masks)
    return Pipeline([read, StateProvenance(config.provenance, sidecar), EncodeSample(config.crop.jpeg_quality)])


def _origin(source: _Source) -> dict[str, str]:
    return {"name": source.path.name, "format": source.format, "masks": source.masks.name if source.masks else ""}
