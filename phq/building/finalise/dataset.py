"""Finalising: the tables and blobs of finished units become a dataset.

Every step is repeated, or found done, after a kill: rows are gathered into columns on the disk and decided there,
shards are tasks with a note each, tables are streamed, and the manifest comes last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

from phq.building.contact_sheet import chosen, write_contact_sheet
from phq.building.executors.choice import Execution
from phq.building.executors.contract import Task
from phq.building.executors.inline import Inline
from phq.building.finalise.decisions import Decisions, Sides, decide_people
from phq.building.finalise.gather import PLACES, DamagedUnitError, check_units, gather, pieces
from phq.building.finalise.shards import WriteShards, contents, members_of, rows_path, shard_jobs
from phq.building.finalise.tables import merged, rows_of
from phq.building.plan import check_unreplaced
from phq.building.unit import table_path
from phq.config.build import Config
from phq.dataset.card import Card
from phq.dataset.folder import SHEET, SPLITS, clear_leftovers
from phq.dataset.layout import SAMPLES_PER_SHARD
from phq.dataset.root import Root
from phq.dataset.summary import COLUMNS, Summary
from phq.dataset.tables import take_rows
from phq.dataset.tombstones import read_tombstones
from phq.dataset.write import Content, Shard, finish_dataset
from phq.errors import OutputError
from phq.schema import DECISION, Fields
from phq.stages.pipeline import StageCount
from phq.system.atomic import output_errors
from phq.system.columns_on_disk import batches
from phq.system.place import is_remote
from phq.system.resources import Resources

FEW = 10_000
"""Samples whose shards are written sooner than workers are started."""
AGAIN = 2
"""Times that a damaged unit is computed again."""


@dataclass(frozen=True)
class Source:
    """Finished units of a plan."""

    work: Path
    units: int
    config: Config


@dataclass(frozen=True)
class Outcome:
    """The people of a dataset."""

    decisions: Decisions
    stages: dict[str, StageCount]
    """Summed over all units, whenever they were computed."""

    @property
    def photos(self) -> Iterator[tuple[str, str]]:
        """Recorded path and sha256 ('' if unreadable) of the photo of each row."""
        for table in batches(self.decisions.table(("source_path", "source_sha256"))):
            paths, hashes = (column.to_pylist() for column in table.columns)
            yield from ((path, sha256 or "") for path, sha256 in zip(paths, hashes, strict=True))


Result = TypeVar("Result")


def computed(work: Path, compute: Callable[[], object], finish: Callable[[], Result]) -> Result:
    """Compute what is missing, then finish; a unit that turns out to be damaged is computed again.

    Raises:
        OutputError: the same unit is damaged again and again.
    """
    damaged = Counter[int]()
    while True:
        compute()
        try:
            return finish()
        except DamagedUnitError as error:
            damaged[error.number] += 1
            if damaged[error.number] > AGAIN:
                where = "does the store keep" if is_remote(work) else "is the disk sound that has"
                why = f"{error}; it was computed {AGAIN} times again: {where} {work}?"
                raise OutputError(why) from error
            with output_errors(table_path(work, error.number)):
                table_path(work, error.number).unlink(missing_ok=True)


def conclude_units(out: Path, source: Source, before: Iterable[pa.Table] = (), splits: Sides | None = None) -> Outcome:
    """Gather the people of all units and decide on them; those redacted from a dataset in `out` stay out.

    Args:
        out: folder or URL of the dataset.
        source: its units.
        before: `COMPARED` and `COMPACT` of `phq.decisions.likeness`, of the samples that are in the dataset already.
        splits: of the same samples.

    Raises:
        DamagedUnitError: a unit has to be computed again.
    """
    check_units(source.work, source.units)
    gone = {stone.key_sha256 for stone in read_tombstones(Root(str(out)))}
    people, stages = gather(source.work, range(source.units), source.config, gone, before)
    return Outcome(decide_people(people, source.config, splits), stages)


def write_units(  # noqa: PLR0913 - everything that a dataset is made of
    out: Path,
    source: Source,
    outcome: Outcome,
    record: Fields,
    card: Card,
    execution: Execution,
    *,
    sheet: bool,
    tables: Path | None = None,
) -> None:
    """Write the dataset of an outcome into a folder or URL; the manifest comes last.

    Args:
        out: the folder or URL.
        source: finished units.
        outcome: see `conclude_units`.
        record: content of ``run.json``.
        card: what the rows do not say about the dataset.
        execution: where shards are written.
        sheet: draw the contact sheet too.
        tables: folder for everything but shards and sheet, in place of `out`.

    Raises:
        DamagedUnitError: a unit has to be computed again.
        OutputError: the folder holds a dataset, or see `phq.system.atomic.output_errors`.
    """
    check_unreplaced(out)
    decisions, work = outcome.decisions, source.work
    shards = write_shards(out, work, decisions, execution)
    clear_leftovers(out, [shard.file.name for written in shards.values() for shard in written])
    if sheet:
        draw_sheet(out / SHEET, decisions, work)
    summary = Summary(decisions.batches(COLUMNS, kept=True), decisions.batches(("reason",), kept=False))
    content = Content(summary, _manifest(work, decisions, shards), rejected(work, decisions))
    finish_dataset(tables or out, shards, content, record, card)


def rejected(work: Path, decisions: Decisions) -> Iterator[pa.Table]:
    """All columns of the rejects, in the order of the plan."""
    return pieces(work, decisions.batches(("unit", "row", *DECISION), kept=False))


def write_shards(out: Path, work: Path, decisions: Decisions, execution: Execution) -> dict[str, list[Shard]]:
    """Every shard of each split, by number."""
    tasks = (Task(number, [job]) for number, job in enumerate(shard_jobs(decisions)))
    count = len(decisions.order)
    executor = Inline() if count < FEW else execution.executor(Resources(), -(-count // SAMPLES_PER_SHARD))
    done = sorted(executor.run(WriteShards(out, work), tasks), key=lambda shard: shard.file.name)
    splits = {split: [shard for shard in done if shard.file.name.startswith(f"{split}/")] for split in SPLITS}
    return {split: shards for split, shards in splits.items() if shards}


def draw_sheet(path: Path, decisions: Decisions, work: Path) -> None:
    """The contact sheet of samples that are in a work folder."""
    rows = decisions.order[chosen(decisions.kept_yaws(), np.arange(len(decisions.order)))]
    samples = take_rows(decisions.table(("key", "unit", *PLACES)), rows).to_pylist()
    found = [members_of(sample, content) for sample, content in zip(samples, contents(work, samples), strict=True)]
    members = {record["key"]: parts for parts, record in found}
    write_contact_sheet(path, [record for _, record in found], lambda row: members[row["key"]])


def _manifest(work: Path, decisions: Decisions, shards: dict[str, list[Shard]]) -> Iterator[pa.Table]:
    """The rows of the splits, merged by key."""
    splits = list(shards)
    sources = [rows_of(rows_path(work, shard.file.name) for shard in shards[split]) for split in splits]
    numbers = np.array([splits.index(split) if split in splits else -1 for split in SPLITS], np.int8)
    return merged(sources, numbers[decisions.split[decisions.order]])
