"""Adding finished units to an existing dataset: new shards behind the old ones, and everything else by its journal.

No byte of an old shard is written again and no old sample is decided on again: first come stays. Until the journal's
one rename the dataset is the old one, afterwards the new one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import ValidationError

from phq.building.executors.contract import Task
from phq.building.executors.inline import Inline
from phq.building.finalise.dataset import Outcome, Source, conclude_units, rejected
from phq.building.finalise.decisions import Decisions
from phq.building.finalise.shards import WriteShards, rows_path, shard_jobs
from phq.building.finalise.tables import merged, rows_of
from phq.building.inputs import Difference, FrozenInputs, compare, freeze, listed, thaw
from phq.building.plan import forget_plan, frozen_inputs
from phq.config.build import Config
from phq.dataset.descriptions import DESCRIBED, Descriptions, Tables
from phq.dataset.folder import INPUTS, MANIFEST, REJECTS, SPLITS, shard_names, shard_number
from phq.dataset.root import Root
from phq.dataset.run import first_command, read_run
from phq.dataset.scrub import Scrubber
from phq.dataset.tables import write_tables
from phq.decisions.likeness import LIKENESS, compact
from phq.decisions.numbered import key_numbers
from phq.errors import ConfigError, OutputError
from phq.photos.discover import Found, Stamp
from phq.schema import Fields
from phq.system.atomic import atomic_write, output_errors
from phq.system.journal import Change, recover
from phq.system.place import is_remote


@dataclass(frozen=True)
class Known:
    """The photos that a dataset has been made of."""

    frozen: FrozenInputs
    """Where the list of stamps is gone, each is (-1, '')."""
    sha256: dict[str, str]
    """By name; '' for one that could not be read."""


def known_photos(folder: Path) -> Known:
    """Read them from a dataset's tables, and from the list beside it if it is still there.

    Raises:
        OutputError: one of them is damaged.
    """
    names: dict[str, str] = {}
    for table in (MANIFEST, REJECTS):
        columns = _columns(folder / table, ["source_path", "source_sha256"])
        names.update(zip(*(columns[name].to_pylist() for name in columns.column_names), strict=True))
    stamps: dict[str, Stamp] = dict.fromkeys(names, (-1, ""))
    if (folder / INPUTS).exists():
        before = thaw(folder / INPUTS)
        stamps |= dict(zip(before.names, before.stamps, strict=True))
    frozen = FrozenInputs(list(stamps), list(stamps.values()), (len(stamps),))
    return Known(frozen, {name: sha256 or "" for name, sha256 in names.items()})


def _columns(path: Path, names: Sequence[str]) -> pa.Table:
    try:
        return pq.read_table(path, columns=list(names), use_threads=False)
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:  # Arrow says OSError of damaged pages
        raise OutputError(f"{path} is damaged or lacks a column, so nothing can be added: {error}") from error


def _groups(path: Path, names: Sequence[str]) -> Iterator[pa.Table]:
    """Columns of a table, a group of rows at a time.

    Raises:
        OutputError: it is damaged, or lacks a column.
    """
    try:
        with path.open("rb") as stream:
            file = pq.ParquetFile(stream)
            if lacking := sorted(set(names) - set(file.schema_arrow.names)):
                raise KeyError(", ".join(lacking))
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, list(names), use_threads=False)
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise OutputError(f"{path} is damaged or lacks a column, so nothing can be added: {error}") from error


def forget_if_added(work: Path, known: Known) -> None:
    """Forget an extension that was killed when all of it was in the dataset and only its work folder was left.

    Raises:
        OutputError: its note or its list of photos is damaged.
    """
    frozen = frozen_inputs(work)
    if frozen is not None and not known.sha256.keys().isdisjoint(frozen.names):
        forget_plan(work)


def since(known: Known, inputs: Sequence[Found]) -> Difference:
    """New, changed and vanished photos; those that look changed are read."""
    differs = compare(known.frozen, inputs)
    there = {found.name: found for found in inputs}
    changed = [name for name in differs.changed if not _same(known, there[name])]
    return Difference(differs.new, tuple(changed), differs.vanished)


def _same(known: Known, found: Found) -> bool:
    before = known.sha256.get(found.name, "")
    try:
        return found.sha256() == before
    except OSError:
        return not before


def run_to_extend(folder: Path) -> Fields:
    """``run.json`` of a dataset that can be extended.

    Raises:
        OutputError: it is at a URL, or `phq build` has not made it.
    """
    if is_remote(folder):
        raise OutputError(
            f"{folder} holds a finished dataset, and an object store cannot change several files in one step: extend a "
            "copy on a disk, or build the new photos into a dataset of their own and merge the two"
        )
    recover(folder)
    run = read_run(Root(folder))
    if first_command(run) != "build" or not run.get("config"):
        raise OutputError(f"{folder} was not made by phq build, so it is not known how to treat new photos")
    return run


def settings_to_extend(folder: Path, run: Fields, given: Config | None) -> Config:
    """The configuration of the dataset.

    Raises:
        ConfigError: another one is given, or it was written by a phq whose settings this one does not know.
    """
    try:
        before = Config.model_validate(run["config"])
    except ValidationError as error:
        raise ConfigError(f"{folder} was built by another version of phq, with other settings: {error}") from error
    if given is not None and given.canonical() != before.canonical():
        old, new = before.model_dump(), given.model_dump()
        names = ", ".join(name for name in old if old[name] != new[name])
        raise ConfigError(f"{folder} was built with another configuration ({names}): give the same one, or none")
    return before


def conclude_extension(folder: Path, source: Source) -> Outcome:
    """As `phq.building.finalise.dataset.conclude_units`, beside the existing samples.

    Raises:
        DamagedUnitError: a unit has to be computed again.
        OutputError: the dataset's manifest is damaged, or lacks a column: an older phq has made it.
    """
    manifest = folder / MANIFEST
    sides = pc.index_in(_columns(manifest, ["split"])["split"], pa.array(SPLITS))
    before = (compact(table) for table in _groups(manifest, LIKENESS))
    return conclude_units(folder, source, before, np.asarray(pc.fill_null(sides, -1)).astype(np.int8))


def add_units(change: Change, source: Source, outcome: Outcome, inputs: Sequence[Found], record: Fields) -> None:
    """Write the new shards, and stage what changes in the dataset.

    Args:
        change: of the dataset, open since before the decisions: no other process has changed it since.
        source: finished units.
        outcome: see `conclude_extension`.
        inputs: the new photos.
        record: what ``run.json`` states of the extension.

    Raises:
        DamagedUnitError: a unit has to be computed again.
        OutputError: the dataset cannot be written, or a table of it is damaged.
    """
    folder, decisions, work = change.folder, outcome.decisions, source.work
    shards = _shards_there(folder)
    jobs = list(shard_jobs(decisions, {split: len(names) for split, names in shards.items()}))
    for _ in Inline().run(WriteShards(work / "new", work), (Task(n, [job]) for n, job in enumerate(jobs))):
        pass
    for job in jobs:
        shards[job.name.partition("/")[0]][job.name] = len(job.samples)
        with output_errors(folder / job.name):
            (work / "new" / job.name).replace(change.path(job.name))
    _stage_tables(change, decisions, work, [job.name for job in jobs])
    _stage_inputs(change, inputs)
    before, after = _tables(folder), _tables(change.path(MANIFEST).parent)
    first = {job.name.partition("/")[0]: shard_number(job.name) for job in reversed(jobs)}
    run = read_run(Root(folder))
    extended = [*run.get("extended", []), {**record, "first_shards": first}]
    Descriptions(change, Scrubber(frozenset(), frozenset()), before, after, shards).stage({**run, "extended": extended})


def restarts(run: Any) -> frozenset[tuple[str, int]]:
    """(Split, number) of the first shards of extensions, by ``run.json``: keys ascend within the shards of a build or
    of one extension."""
    try:
        return frozenset((split, int(n)) for entry in run["extended"] for split, n in entry["first_shards"].items())
    except (KeyError, TypeError, ValueError, AttributeError):
        return frozenset()


def _shards_there(folder: Path) -> dict[str, dict[str, int]]:
    """Split → samples of each of its shards, by number."""
    counts = _columns(folder / MANIFEST, ["shard"])["shard"].value_counts().to_pylist()
    samples = {entry["values"]: entry["counts"] for entry in counts}
    names = shard_names(folder)
    return {split: {name: samples.get(name, 0) for name in names.get(split, ())} for split in SPLITS}


def _stage_tables(change: Change, decisions: Decisions, work: Path, names: Sequence[str]) -> None:
    """Manifest and rejects: the old rows, and the new ones by key or behind them."""
    folder, splits = change.folder, list(decisions.by_split())
    old = key_numbers(_columns(folder / MANIFEST, ["key"])["key"])
    new = key_numbers(decisions.table(("key",))["key"])[decisions.order]
    side = decisions.split[decisions.order]
    whose = np.concatenate([np.zeros(len(old), np.int8), _numbers(splits)[side]])
    keys = np.concatenate([old, new])
    parts = [rows_of([rows_path(work, name) for name in names if name.startswith(f"{split}/")]) for split in splits]
    turn = whose[np.argsort(keys, kind="stable")]
    with atomic_write(change.path(MANIFEST)) as stream:
        write_tables(stream, merged([rows_of([folder / MANIFEST]), *parts], turn))
    with atomic_write(change.path(REJECTS)) as stream:
        write_tables(stream, chain(rows_of([folder / REJECTS]), rejected(work, decisions)))


def _numbers(splits: Sequence[str]) -> NDArray[np.int8]:
    """Turn of each split of `SPLITS` among these, after the old rows."""
    return np.array([1 + splits.index(split) if split in splits else -1 for split in SPLITS], np.int8)


def _stage_inputs(change: Change, inputs: Sequence[Found]) -> None:
    """The list of photos, longer by the new ones; where it has gone it stays away, and an extension reads all files."""
    if (change.folder / INPUTS).exists():
        freeze(change.path(INPUTS), listed(inputs, thaw(change.folder / INPUTS)))


def _tables(folder: Path) -> Tables:
    return Tables(*(_columns(folder / name, DESCRIBED) for name in (MANIFEST, REJECTS)))
