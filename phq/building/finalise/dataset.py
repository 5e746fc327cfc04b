"""Finalising: the tables and blobs of finished units become a dataset.

Every step is done again, or found done, after a kill: rows are gathered and settled in memory (some hundred bytes a
person), shards are tasks with a note each, tables are streamed, and the manifest comes last.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

from phq.building.contact_sheet import chosen, write_contact_sheet
from phq.building.executors.choice import Execution
from phq.building.executors.contract import Task
from phq.building.executors.inline import Inline
from phq.building.finalise.gather import DamagedUnitError, Gathered, check_units, gather, pieces, take
from phq.building.finalise.settle import Settled, settle
from phq.building.finalise.shards import WriteShards, contents, members_of, rows_path, shard_jobs
from phq.building.finalise.tables import merged, rows_of, write_groups
from phq.building.unit import table_path
from phq.config.build import Config
from phq.dataset.card import Card, dataset_card
from phq.dataset.croissant import StoredFile, croissant
from phq.dataset.folder import CROISSANT, MANIFEST, SHEET, SPLITS, clear_leftovers
from phq.dataset.layout import SAMPLES_PER_SHARD
from phq.dataset.measured import Measured
from phq.dataset.root import Root
from phq.dataset.tables import Rows
from phq.dataset.tombstones import read_tombstones
from phq.dataset.wids_index import wids_index
from phq.decisions.rows import Fields
from phq.errors import OutputError
from phq.schema import PROVENANCE, SCHEMA_VERSION, json_schema
from phq.system.atomic import atomic_write, output_errors, write_bytes
from phq.system.json_text import json_bytes
from phq.system.resources import Resources

DESCRIBED = ("split", "reason", "camera_yaw_deg", *PROVENANCE)
"""Columns that the card is made of."""
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
    """What a dataset is made of."""

    settled: Settled
    gathered: Gathered

    @property
    def photos(self) -> list[tuple[str, str]]:
        """Recorded path and sha256 ('' if unreadable) of the photo of each row."""
        paths, hashes = (self.settled.table[name].to_pylist() for name in ("source_path", "source_sha256"))
        return [(path, sha256 or "") for path, sha256 in zip(paths, hashes, strict=True)]


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
                why = f"{error}; it was computed {AGAIN} times again: is the disk of {work} sound?"
                raise OutputError(why) from error
            discard_unit(work, error.number)


def discard_unit(work: Path, number: int) -> None:
    """Forget a finished unit whose files are damaged."""
    with output_errors(table_path(work, number)):
        table_path(work, number).unlink(missing_ok=True)


def conclude_units(out: Path, source: Source) -> Outcome:
    """Gather and settle; redacted people of a dataset that once stood in `out` stay out.

    Raises:
        DamagedUnitError: a unit has to be computed again.
    """
    check_units(source.work, source.units)
    gone = {stone.key_sha256 for stone in read_tombstones(Root(str(out)))}
    gathered = gather(source.work, range(source.units), source.config, gone)
    outcome = Outcome(settle(gathered.table, source.config), gathered)
    return replace(outcome, gathered=replace(gathered, table=gathered.table.slice(0, 0)))


def write_units(
    out: Path, source: Source, outcome: Outcome, record: Fields, card: Card, execution: Execution, sheet: bool
) -> None:
    """Write the dataset of an outcome into a folder or URL; the manifest comes last.

    Args:
        record: content of ``run.json``. card: as `phq.dataset.write.write_dataset` wants it.
        sheet: draw the contact sheet too.

    Raises:
        DamagedUnitError: a unit has to be computed again.
        OutputError: see `phq.system.atomic.output_errors`.
    """
    settled, work = outcome.settled, source.work
    shards = write_shards(out, work, settled, execution)
    clear_leftovers(out, [shard.name for shard in shards])
    if sheet:
        draw_sheet(out / SHEET, settled.kept, work)
    splits = {split: len(rows) for split, rows in settled.by_split().items()}
    for split in splits:
        write_bytes(out / split / "index.json", wids_index(split, index_entries(split, shards, settled)))
    write_bytes(out / "schema.json", json_bytes(json_schema()))
    run = {"schema_version": SCHEMA_VERSION, **record, "card": card.record()}
    write_bytes(out / "run.json", json_bytes(run))
    with atomic_write(out / "rejects.parquet") as stream:
        write_groups(stream, pieces(work, settled.rejects))
    kept, rejects = settled.kept.select(DESCRIBED), settled.rejects.select(DESCRIBED)
    write_bytes(out / "README.md", dataset_card(card, splits, Rows(kept), Rows(rejects)).encode())
    _write_manifest(out, settled, work, shards, lambda file: croissant(card, Rows(kept), file, shards))


def write_shards(out: Path, work: Path, settled: Settled, execution: Execution) -> list[StoredFile]:
    """Every shard, by split and number."""
    tasks = (Task(number, [job]) for number, job in enumerate(shard_jobs(settled)))
    few = len(settled.order) < FEW
    executor = Inline() if few else execution.executor(Resources(), -(-len(settled.order) // SAMPLES_PER_SHARD))
    done = {shard.name: shard for shard in executor.run(WriteShards(out, work), tasks)}
    return [done[name] for name in sorted(done, key=lambda name: (SPLITS.index(name.partition("/")[0]), name))]


def index_entries(split: str, shards: Iterable[StoredFile], settled: Settled) -> list[tuple[str, int, int]]:
    """File name, samples and bytes of each shard of a split."""
    counts = {job.name: len(job.samples) for job in shard_jobs(settled)}
    mine = (shard for shard in shards if shard.name.startswith(f"{split}/"))
    return [(shard.name.partition("/")[2], counts[shard.name], shard.size) for shard in mine]


def draw_sheet(path: Path, kept: pa.Table, work: Path) -> None:
    """The contact sheet of the samples that lie in a work folder."""
    picked = take(kept, chosen(kept["camera_yaw_deg"].to_pylist(), kept["key"].to_pylist()))
    samples = picked.to_pylist()
    found = [members_of(sample, content) for sample, content in zip(samples, contents(work, samples), strict=True)]
    members = {sample["key"]: parts for sample, parts in zip(samples, found, strict=True)}
    write_contact_sheet(path, [json.loads(parts["json"]) for parts in found], lambda row: members[row["key"]])


def _write_manifest(
    out: Path, settled: Settled, work: Path, shards: list[StoredFile], describe: Callable[[StoredFile], bytes]
) -> None:
    """Merge the rows of the splits by key; ``croissant.json`` names the manifest's checksum and comes before it."""
    splits = list(settled.by_split())
    names = {split: [shard.name for shard in shards if shard.name.startswith(f"{split}/")] for split in splits}
    sources = [rows_of(rows_path(work, name) for name in names[split]) for split in splits]
    turn = np.array([splits.index(split) for split in settled.kept["split"].to_pylist()], np.int8)
    with atomic_write(out / MANIFEST) as stream:
        measured = Measured(stream)
        write_groups(measured, merged(sources, turn))  # type: ignore[arg-type]
        measured.flush()
        write_bytes(out / CROISSANT, describe(StoredFile(MANIFEST, measured.size, measured.sha256)))
