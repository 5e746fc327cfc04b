"""The people of finished units, with the columns that decisions take, on the disk: some hundred bytes a person."""

from __future__ import annotations

import io
import itertools
import json
import shutil
import tempfile
import weakref
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from phq.building.unit import COUNTS, DIGESTS, UnitResult, table_path
from phq.config.build import Config
from phq.dataset.tables import arrow_schema, take_rows
from phq.dataset.tar import STORAGE
from phq.dataset.tombstones import text_sha256
from phq.decisions.decision import apply_thresholds, kept_rows
from phq.decisions.likeness import COMPACT, COMPARED, LIKENESS, compact, compared_schema
from phq.decisions.rules import SCORED
from phq.errors import OutputError, PhqError
from phq.schema import DECISION, PROVENANCE
from phq.stages.pipeline import StageCount
from phq.system.atomic import output_errors
from phq.system.columns_on_disk import ColumnsOnDisk
from phq.system.place import is_of_server, is_remote
from phq.system.retrying import is_passing, retried

PLACES = STORAGE[1:]
"""Columns that locate a sample in its unit's blob."""
DIGEST = "digest"
"""Column with `phq.dataset.content.sample_digest`."""
_STAY = ("key", "source_path", "source_sha256", "person_index", *PROVENANCE, "camera_yaw_deg", *PLACES)
_COMPARED = (*COMPARED, *COMPACT)
_READ = tuple(dict.fromkeys((*_STAY, *LIKENESS, *SCORED, *DECISION)))
_TOGETHER = 4096
"""Rows that are decided on together."""
SCRATCH = "people"
"""Folder of the columns in the work folder."""


class DamagedUnitError(PhqError):
    """A finished unit cannot be read; it has to be computed again."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(number, why)
        self.number = number

    def __str__(self) -> str:
        return f"unit {self.args[0]} is damaged: {self.args[1]}"


@dataclass(frozen=True)
class People:
    """The people of all units, in columns on the disk; those of finished units may be gathered again at any time."""

    folder: Path
    everyone: ColumnsOnDisk
    """In the order of the plan: the columns of `_STAY`, `DIGEST`, and ``unit`` and ``row``, which locate all columns of
    the row."""
    decisions: ColumnsOnDisk
    """`DECISION` of each by thresholds alone."""
    likeness: ColumnsOnDisk
    """`COMPARED` and `COMPACT` of the samples of an existing dataset, then of everyone whom the thresholds keep."""
    existing: int
    """Samples of the existing dataset."""


def gather(
    work: Path, units: Iterable[int], config: Config, gone: Collection[str] = (), before: Iterable[pa.Table] = ()
) -> tuple[People, dict[str, StageCount]]:
    """Read the tables of units one after the other, and decide by scores and thresholds.

    Args:
        work: folder of the units.
        units: their numbers.
        config: for its thresholds; a person whom a stage has rejected stays rejected.
        gone: hashes of tombstones; rows about what they name are left out.
        before: `COMPARED` and `COMPACT` of the samples of an existing dataset.

    Returns:
        The people, and the counts of each stage, summed over all units.

    Raises:
        DamagedUnitError: a table is missing or cannot be read.
    """
    people = empty_people(scratch(work), before)
    if is_remote(work):
        weakref.finalize(people, shutil.rmtree, people.folder, ignore_errors=True)
    stages: dict[str, StageCount] = {}
    for tables in _together(work, units, stages):
        table = _without(_compacted(tables), gone)
        decisions = _decided(table, config)
        people.everyone.append(table)
        people.decisions.append(decisions)
        people.likeness.append(take_rows(table.select(_COMPARED), kept_rows(decisions)))
    return people, stages


def scratch(work: Path) -> Path:
    """An empty folder on this machine for what is made of a work folder and goes with it."""
    if is_remote(work):
        return Path(tempfile.mkdtemp(prefix="phq-"))
    folder = work / SCRATCH
    with output_errors(folder):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    return folder


def empty_people(folder: Path, before: Iterable[pa.Table] = ()) -> People:
    """Nobody yet; files of earlier people in the folder are replaced.

    Args:
        folder: of the columns.
        before: see `gather`.
    """
    known = arrow_schema()
    places = [pa.field(name, pa.int32()) for name in ("unit", "row")]
    everyone = pa.schema([*(known.field(name) for name in _STAY), pa.field(DIGEST, pa.string()), *places])
    decisions = pa.schema([known.field(name) for name in DECISION])
    compared = ColumnsOnDisk(folder / "likeness", compared_schema())
    for table in before:
        compared.append(table)
    stay = ColumnsOnDisk(folder / "everyone", everyone), ColumnsOnDisk(folder / "decisions", decisions)
    return People(folder, *stay, compared, len(compared))


def _together(work: Path, units: Iterable[int], stages: dict[str, StageCount]) -> Iterator[list[tuple[int, pa.Table]]]:
    """Units with their numbers, some `_TOGETHER` rows at a time; adds their counts to `stages`."""
    tables: list[tuple[int, pa.Table]] = []
    rows = 0
    for number in units:
        table, result = _read_unit(work, number)
        for name, count in result.stages.items():
            stages[name] = stages.get(name, StageCount()) + count
        tables.append((number, table))
        rows += len(table)
        if rows >= _TOGETHER:
            yield tables
            tables, rows = [], 0
    if tables:
        yield tables


def _compacted(tables: list[tuple[int, pa.Table]]) -> pa.Table:
    """Tables in one, see `phq.decisions.likeness.compact`."""
    try:
        return compact(pa.concat_tables([table for _, table in tables]).combine_chunks())
    except (pa.ArrowException, ValueError, TypeError):
        for number, table in tables:  # which of them it is
            with unit_errors(number):
                compact(table)
        raise


def open_unit(work: Path, number: int) -> pq.ParquetFile:
    """The table of a unit.

    Raises:
        DamagedUnitError: it is not there or is damaged.
    """
    with unit_errors(number):
        path = table_path(work, number)
        return pq.ParquetFile(io.BytesIO(retried(str(path), path.read_bytes)))


class unit_errors:  # noqa: N801 - a context manager that is not a generator, since it is entered a million times
    """Turns an error that shows a damaged unit into `DamagedUnitError`; names a server that stays away."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is not None and not isinstance(error, PhqError) and is_passing(error):
            raise OutputError(
                f"unit {self.number} cannot be read, the server fails again and again: {error}; what was finished is "
                "kept: run the same command again, it continues from there"
            ) from error
        if isinstance(error, (pa.ArrowException, ValueError, KeyError, TypeError, EOFError)) or (
            isinstance(error, Exception) and not isinstance(error, PhqError) and is_of_server(error)
        ):
            raise DamagedUnitError(self.number, str(error)) from error


def _read_unit(work: Path, number: int) -> tuple[pa.Table, UnitResult]:
    file = open_unit(work, number)
    with unit_errors(number):
        notes = file.metadata.metadata or {}
        result = UnitResult.noted(notes[COUNTS.encode()])
        table = file.read(list(_READ), use_threads=False).replace_schema_metadata(None)
        table = table.append_column(DIGEST, pa.array(json.loads(notes[DIGESTS.encode()]), pa.string()))
        table = table.append_column("row", pa.array(range(len(table)), pa.int32()))
        return table.append_column("unit", pa.array([number] * len(table), pa.int32())), result


def _without(table: pa.Table, gone: Collection[str]) -> pa.Table:
    if not gone:
        return table
    names = zip(*(table[name].to_pylist() for name in ("key", "source_sha256")), strict=True)
    return table.filter(pa.array([not any(text_sha256(name or "") in gone for name in row) for row in names]))


def _decided(table: pa.Table, config: Config) -> pa.Table:
    """`DECISION`, by thresholds of everyone whom no stage has rejected."""
    undecided = np.asarray(pc.equal(pc.fill_null(table["reason"], ""), ""))
    return apply_thresholds(table, undecided, config)


def pieces(work: Path, wanted: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """All columns of some rows with their decisions, a unit at a time; without their places in the blobs, which are
    removed once the dataset is finished.

    Args:
        work: folder of the units.
        wanted: ``unit``, ``row`` and `DECISION`, in order, some at a time.
    """
    for some in wanted:
        units = some["unit"].to_numpy()
        edges = [*np.flatnonzero(np.diff(units, prepend=-1)).tolist(), len(units)]
        for start, stop in itertools.pairwise(edges):
            number, part = int(units[start]), some.slice(start, stop - start)
            with unit_errors(number):
                table = open_unit(work, number).read(use_threads=False).take(part["row"])
            yield _with_decisions(table, part)


def _with_decisions(table: pa.Table, decisions: pa.Table) -> pa.Table:
    blank = {**dict.fromkeys(PLACES), "shard": "", "split": ""}
    columns = [
        decisions[field.name].cast(field.type)
        if field.name in DECISION
        else pa.array([blank[field.name]] * len(table), field.type)
        if field.name in blank
        else table[field.name]
        for field in arrow_schema()
    ]
    return pa.Table.from_arrays(columns, schema=arrow_schema())


def check_units(work: Path, units: int) -> None:
    """Refuse to go on while a unit is missing.

    Raises:
        OutputError: one is.
    """
    missing = next((number for number in range(units) if not table_path(work, number).exists()), None)
    if missing is not None:
        raise OutputError(f"unit {missing} of {work} has not been computed")
