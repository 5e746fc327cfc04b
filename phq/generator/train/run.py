"""`train`: a run in a folder, from its beginning or from its last checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from phq.errors import ConfigError, InputError, OutputError
from phq.generator.train import rng
from phq.generator.train.checkpoint import Checkpoint, checkpoints
from phq.generator.train.config import RunConfig, differences, load_run_config, over
from phq.generator.train.loop import Loop, Trainer
from phq.generator.train.mixture import Mixture, open_mixture, other_bodies
from phq.generator.train.networks import AVERAGES
from phq.generator.train.ranks import Ranks, joined, set_tf32
from phq.generator.train.record import Record
from phq.generator.train.trained import config_of, find_checkpoint
from phq.system.atomic import disk_errors_explained, output_errors, write_bytes
from phq.system.locking import Lock, locked
from phq.system.version import __version__

CONFIG = "config.json"
LOCK = "lock"


@dataclass(frozen=True)
class Result:
    """How a run went."""

    out: Path
    images: int
    finished: bool
    """Whether it reached its end; if not, somebody stopped it."""
    first: bool
    """Whether this process is the one to talk about it."""


@disk_errors_explained
def train(  # noqa: PLR0913 (as many as the command has options)
    datasets: Sequence[str | Path],
    out: str | Path,
    *,
    preset: str | None = None,
    file: Path | None = None,
    sets: Sequence[str] = (),
    kimg: float | None = None,
    resume: bool = False,
    start: Path | None = None,
    device: str = "auto",
    overlays: Sequence[str] = (),
    quiet: bool = True,
    say: Callable[[str], object] = lambda _: None,
) -> Result:
    """Train the bundled generator; what ``phq gan train`` does.

    Args:
        datasets: folders or URLs of phq datasets, trained on together.
        out: folder of the run: ``config.json``, ``checkpoints``, ``log.jsonl``, ``pictures``, ``tensorboard``.
        preset: ``tiny``, ``paper-256`` or ``paper-512``; of a resumed run it must be the same or None.
        file: TOML over the preset.
        sets: ``key=value`` over both; a resumed run keeps its configuration but for what is set here.
        kimg: length of the run, thousands of real images; over `training.kimg`.
        resume: go on from the last checkpoint in `out`; from the beginning, if it has none.
        start: run, or checkpoint file, whose averaged networks the run begins with; the model is that run's.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        overlays: the state to read of each dataset, or one for all.
        quiet: no progress bar.
        say: called with a sentence where labels are for another body than the generator's.

    Raises:
        ConfigError: a setting that cannot be, or that a resumed run cannot change.
        InputError: a dataset cannot be read or lacks something; a checkpoint is damaged or of other data.
        OutputError: the folder cannot be written to, or is not free.
        DivergedError: the training came to numbers that are not finite.
    """
    folder, paths = Path(out), [str(path) for path in datasets]
    if kimg is not None:
        sets = [*sets, f"training.kimg={float(kimg)}"]
    source = _start_of(folder, start, resume)
    with joined(device) as ranks:
        config, saved = _configured(folder, preset, file, sets, resume, source)
        if config.training.batch % (config.training.part * ranks.world):
            raise ConfigError(f"a batch of {config.training.batch} cannot be dealt out to {ranks.world} processes in "
                              f"parts of {config.training.part}: change training.batch or training.part")  # fmt: skip
        training = config.training
        set_tf32(training.tf32)
        mixture = open_mixture(
            paths, config.model.resolution, overlays, training.split, training.shares, training.balance
        )
        trainer = _trainer(config, saved, source, mixture, ranks)
        ranks.any(False)  # nobody writes before all could begin: a refused run leaves nothing behind
        if not ranks.first:
            return _train(folder, trainer, saved, mixture, quiet=True)
        with output_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        with output_errors(folder), locked(folder / LOCK) as lock:
            if lock is Lock.BUSY:
                raise OutputError(f"another process is training in {folder}")
            _state_run(folder, config, mixture, source)
            for sentence in other_bodies(mixture):
                say(sentence)
            return _train(folder, trainer, saved, mixture, quiet)


def _start_of(folder: Path, start: Path | None, resume: bool) -> Checkpoint | None:
    """What a run begins with: of one that was killed before its first checkpoint, what it had begun with."""
    if not (resume and (folder / CONFIG).exists()):
        return None if start is None else find_checkpoint(start)
    if start is not None:
        raise ConfigError(f"{folder} was begun already: leave out --start-from to resume it")
    read_config(folder)
    begun = json.loads((folder / CONFIG).read_bytes()).get("started_from")
    return find_checkpoint(Path(begun["checkpoint"])) if begun and not checkpoints(folder) else None


def _trainer(
    config: RunConfig, saved: Checkpoint | None, source: Checkpoint | None, mixture: Mixture, ranks: Ranks
) -> Trainer:
    """All that a run needs before its first step."""
    trainer = Trainer(config, mixture, ranks)
    if saved is not None:
        trainer.restore(saved)
        return trainer
    rng.begin(config.training.seed)
    if source is not None:
        parts = [part for part in AVERAGES if source.holds(part)]
        trainer.networks.start_from(source.read(parts), source.tensors)
    return trainer


def _train(folder: Path, trainer: Trainer, saved: Checkpoint | None, mixture: Mixture, quiet: bool) -> Result:
    first, training = trainer.ranks.first, trainer.training
    record = Record(folder, trainer.images, int(training.kimg * 1000), quiet) if first else None
    if record is not None and saved is not None:
        record.restore(saved.facts()["log"])
    try:
        finished = Loop(trainer, folder, record, _intrinsics(mixture)).go()
    finally:
        if record is not None:
            record.close()
    return Result(folder, trainer.images, finished, first)


def _configured(
    folder: Path,
    preset: str | None,
    file: Path | None,
    sets: Sequence[str],
    resume: bool,
    source: Checkpoint | None,
) -> tuple[RunConfig, Checkpoint | None]:
    """The configuration, and the checkpoint to go on from; `source` gives the model of a new run."""
    if not (folder / CONFIG).exists():
        if folder.exists() and (not folder.is_dir() or any(path.name != LOCK for path in folder.iterdir())):
            raise OutputError(f"{folder} is not empty and no training run; choose another folder")
        if source is None:
            return load_run_config(preset, file, sets), None
        return _with_model_of(source, preset, file, sets), None
    if not resume:
        raise OutputError(f"{folder} holds a training run: --resume goes on with it, another folder begins a new one")
    old = read_config(folder)
    if preset not in (None, old.preset):
        raise ConfigError(f"{folder} was begun with the preset {old.preset}, not {preset}; leave it out to resume")
    config = over(old.model_dump(mode="json"), file, sets)
    if fixed := [name for name in differences(old, config) if name.startswith("model.")]:
        raise ConfigError(f"the model of {folder} cannot change while it is trained ({', '.join(fixed)}); begin anew")
    found = checkpoints(folder)
    return config, found[-1] if found else None


def _with_model_of(source: Checkpoint, preset: str | None, file: Path | None, sets: Sequence[str]) -> RunConfig:
    """The model of a checkpoint, trained as a preset says, by default that of its run."""
    if own := [name for name in sets if name.startswith("model.")]:
        raise ConfigError(f"{own[0]}: the model is that of {source.path}, whose weights the run begins with")
    theirs = config_of(source)
    config = load_run_config(preset or theirs.preset, file, sets)
    return config.model_copy(update={"model": theirs.model})


def read_config(folder: Path) -> RunConfig:
    """The configuration of a run.

    Raises:
        InputError: it is no training run, or its ``config.json`` is damaged.
    """
    try:
        return over(json.loads((folder / CONFIG).read_bytes())["config"])
    except (OSError, ValueError, KeyError, TypeError, ConfigError) as error:
        raise InputError(f"{folder} is no training run of this version of phq: its {CONFIG}: {error}") from error


def _state_run(folder: Path, config: RunConfig, mixture: Mixture, source: Checkpoint | None) -> None:
    """Write ``config.json``; of a resumed run, what it began with stays."""
    begun = {} if source is None else {"started_from": {"checkpoint": str(source.path), "images": source.images}}
    if (folder / CONFIG).exists():
        old = json.loads((folder / CONFIG).read_bytes())
        begun = {name: old[name] for name in ("started_from",) if name in old}
    stated: dict[str, Any] = {
        "tool": "phq",
        "version": __version__,
        "torch": torch.__version__,
        "config": config.model_dump(mode="json"),
        "datasets": [
            {"path": dataset.root.where, "overlays": dataset.overlays, "samples": len(dataset)}
            for dataset in mixture.datasets
        ],
        **begun,
    }
    write_bytes(folder / CONFIG, (json.dumps(stated, indent=1, sort_keys=True) + "\n").encode())


def _intrinsics(mixture: Mixture) -> np.ndarray[Any, Any]:
    """(9,) the mean of the datasets'."""
    values = mixture.columns(["intrinsics"])["intrinsics"].combine_chunks().flatten().to_numpy()
    return np.asarray(values.reshape(-1, 9).mean(axis=0))
