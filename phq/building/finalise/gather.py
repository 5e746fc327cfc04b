"""The people of finished units, with the columns that decisions take: some hundred bytes a person."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from phq.building.unit import COUNTS, DIGESTS, UnitResult, table_path
from phq.config.build import Config
from phq.dataset.tables import arrow_schema
from phq.dataset.tar import STORAGE
from phq.dataset.tombstones import text_sha256
from phq.decisions.decision import SCORED, apply_thresholds
from phq.decisions.likeness import COMPACT, COMPARED, LIKENESS, compact
from phq.errors import OutputError, PhqError
from phq.schema import DECISION, PROVENANCE
from phq.stages.pipeline import StageCount
from phq.system.place import is_of_server
from phq.system.retrying import is_passing, retried

PLACES = STORAGE[1:]
"""Columns that locate a sample in its unit's blob."""
DIGEST = "digest"
"""Column with `phq.dataset.content.sample_digest`."""
_STAY = tuple(dict.fromkeys((*COMPARED, *PROVENANCE, "camera_yaw_deg", *PLACES)))
_READ = tuple(dict.fromkeys((*_STAY, *LIKENESS, *SCORED, *DECISION)))


class DamagedUnitError(PhqError):
    """A finished unit cannot be read; it has to be computed again."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(number, why)
        self.number = number

    def __str__(self) -> str:
        return f"unit {self.args[0]} is damaged: {self.args[1]}"


def gather(
    work: Path, units: Iterable[int], config: Config, gone: Collection[str] = ()
) -> tuple[pa.Table, dict[str, StageCount]]:
    """Read the tables of units one after the other, and decide by scores and thresholds.

    Args:
        work: folder of the units.
        units: their numbers.
        config: for its thresholds; a person whom a stage has rejected stays rejected.
        gone: hashes of tombstones; rows about what they name are left out.

    Returns:
        Rows of all units in the order of the plan, with `DECISION`, the columns of `_STAY`, `COMPACT`, `DIGEST`, and
        ``unit`` and ``row``, which locate all columns of the row; and the counts of each stage, summed over all units.

    Raises:
        DamagedUnitError: a table is missing or cannot be read.
    """
    stages: dict[str, StageCount] = {}
    tables = [_schema().empty_table()]
    for number in units:
        table, result = _read_unit(work, number)
        for name, count in result.stages.items():
            stages[name] = stages.get(name, StageCount()) + count
        table = table.append_column("row", pa.array(range(len(table)), pa.int32()))
        table = table.append_column("unit", pa.array([number] * len(table), pa.int32()))
        tables.append(_decided(_without(table, gone), config))
    return pa.concat_tables(tables).combine_chunks(), stages


def _schema() -> pa.Schema:
    known = arrow_schema()
    fields = [pa.field(name, known.field(name).type) for name in dict.fromkeys((*_STAY, *DECISION))]
    places = [pa.field(name, pa.int32()) for name in ("unit", "row")]
    compacted = (pa.field(name, kind) for name, kind in COMPACT.items())
    return pa.schema([*fields, *compacted, pa.field(DIGEST, pa.string()), *places])


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
        table = compact(file.read(list(_READ), use_threads=False).replace_schema_metadata(None))
        return table.append_column(DIGEST, pa.array(json.loads(notes[DIGESTS.encode()]), pa.string())), result


def _without(table: pa.Table, gone: Collection[str]) -> pa.Table:
    if not gone:
        return table
    names = zip(*(table[name].to_pylist() for name in ("key", "source_sha256")), strict=True)
    return table.filter(pa.array([not any(text_sha256(name or "") in gone for name in row) for row in names]))


def _decided(table: pa.Table, config: Config) -> pa.Table:
    """The columns of `_schema`, with the thresholds' decision on everyone whom no stage has rejected."""
    undecided = np.asarray(pc.equal(pc.fill_null(table["reason"], ""), ""))
    decisions, schema = apply_thresholds(table, undecided, config), _schema()
    columns = [decisions[name] if name in DECISION else table[name] for name in schema.names]
    return pa.Table.from_arrays(columns, schema=schema)


def pieces(work: Path, wanted: pa.Table) -> Iterator[pa.Table]:
    """All columns of some rows with their decisions, a unit at a time; without their places in the blobs, which are
    removed once the dataset is finished.

    Args:
        work: folder of the units.
        wanted: ``unit``, ``row`` and `DECISION`, in order.
    """
    units = wanted["unit"].to_numpy()
    edges = [*np.flatnonzero(np.diff(units, prepend=-1)).tolist(), len(units)]
    for start, stop in itertools.pairwise(edges):
        number, part = int(units[start]), wanted.slice(start, stop - start)
        with unit_errors(number):
            table = open_unit(work, number).read(use_threads=False).take(part["row"])
        yield _with_decisions(table, part)


def _with_decisions(table: pa.Table, decisions: pa.Table) -> pa.Table:
    blank = {**dict.fromkeys(PLACES), "shard": "", "split": ""}
    columns = [
        decisions[field.name]
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
