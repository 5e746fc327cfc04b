"""What finished units say of their people, without what nobody needs to decide: some hundred bytes a person."""

from __future__ import annotations

import io
import itertools
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from phq.building.unit import COUNTS, UnitResult, table_path
from phq.config.build import Config
from phq.dataset.tables import arrow_schema
from phq.dataset.tombstones import text_sha256
from phq.decisions.alike import COMPACT, LIKENESS, STORED, compacted
from phq.decisions.rows import STORAGE, UNGROUPED, decided
from phq.errors import OutputError, PhqError
from phq.reasons import RULES
from phq.schema import BOX, DECISION, PROVENANCE
from phq.stages.pipeline import StageCount
from phq.system.place import is_of_server

_SCORES = tuple(rule.score for rule in RULES if rule.score != "box_px")
_STAY = tuple(dict.fromkeys((*LIKENESS, *PROVENANCE, "camera_yaw_deg", *STORAGE)))
_READ = tuple(dict.fromkeys((*_STAY, *STORED, *BOX, *_SCORES, *DECISION)))


class DamagedUnitError(PhqError):
    """A finished unit cannot be read; it has to be computed again."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(number, why)
        self.number = number

    def __str__(self) -> str:
        return f"unit {self.args[0]} is damaged: {self.args[1]}"


@dataclass
class Gathered:
    """Rows of all units in the order of the plan."""

    table: pa.Table
    """`DECISION`, the columns of `_STAY`, `COMPACT`, and ``unit`` and ``row``: where all columns of the row are."""
    stages: dict[str, StageCount] = field(default_factory=dict)
    """Summed over all units, whenever they were computed."""


def gather(work: Path, units: Iterable[int], config: Config, gone: Collection[str] = ()) -> Gathered:
    """Read the tables of units one after the other, and decide by scores and thresholds.

    Args:
        gone: hashes of tombstones; rows about what they name are left out.

    Raises:
        DamagedUnitError: a table is not there or cannot be read.
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
    return Gathered(pa.concat_tables(tables).combine_chunks(), stages)


def _schema() -> pa.Schema:
    known = arrow_schema()
    fields = [pa.field(name, known.field(name).type) for name in dict.fromkeys((*_STAY, *DECISION))]
    places = [pa.field(name, pa.int32()) for name in ("unit", "row")]
    return pa.schema([*fields, *(pa.field(name, kind) for name, kind in COMPACT.items()), *places])


def open_unit(work: Path, number: int) -> pq.ParquetFile:
    """The table of a unit.

    Raises:
        DamagedUnitError: it is not there or is damaged.
    """
    with unit_errors(number):
        return pq.ParquetFile(io.BytesIO(table_path(work, number).read_bytes()))


class unit_errors:  # noqa: N801 - a context manager that is not a generator, since it is entered a million times
    """Turns whatever shows that a unit is damaged into `DamagedUnitError`."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, (pa.ArrowException, ValueError, KeyError, TypeError, EOFError)) or (
            isinstance(error, Exception) and not isinstance(error, PhqError) and is_of_server(error)
        ):
            raise DamagedUnitError(self.number, str(error)) from error


def _read_unit(work: Path, number: int) -> tuple[pa.Table, UnitResult]:
    file = open_unit(work, number)
    with unit_errors(number):
        result = UnitResult.noted((file.metadata.metadata or {})[COUNTS.encode()])
        return compacted(file.read(list(_READ), use_threads=False).replace_schema_metadata(None)), result


def _without(table: pa.Table, gone: Collection[str]) -> pa.Table:
    if not gone:
        return table
    names = zip(*(table[name].to_pylist() for name in ("key", "source_sha256")), strict=True)
    return table.filter(pa.array([not any(text_sha256(name or "") in gone for name in row) for row in names]))


def _decided(table: pa.Table, config: Config) -> pa.Table:
    """The columns of `_schema`, with the thresholds' decision on everyone whom no stage has thrown out."""
    rows = table.select([*BOX, *_SCORES, *(name for name in DECISION if name not in UNGROUPED)]).to_pylist()
    known = ({name: value for name, value in row.items() if value is not None} for row in rows)
    said = [decided(row, config) for row in known]
    schema = _schema()
    columns = [
        pa.array([row.get(f.name) for row in said], f.type) if f.name in DECISION else table[f.name] for f in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def take(table: pa.Table, rows: Any) -> pa.Table:
    """Some rows, in that order, in one piece."""
    return table.take(pa.array(np.asarray(rows, np.int64))).combine_chunks()


def pieces(work: Path, wanted: pa.Table) -> Iterator[pa.Table]:
    """All columns of the rows that `wanted` (``unit``, ``row``; in order) names, with its decisions on them, a unit at
    a time; their places in the blobs, which are gone once the dataset stands, are blanked."""
    units = wanted["unit"].to_numpy()
    edges = [*np.flatnonzero(np.diff(units, prepend=-1)).tolist(), len(units)]
    for start, stop in itertools.pairwise(edges):
        number, part = int(units[start]), wanted.slice(start, stop - start)
        with unit_errors(number):
            table = open_unit(work, number).read(use_threads=False).take(part["row"])
        yield _with_decisions(table, part)


def _with_decisions(table: pa.Table, said: pa.Table) -> pa.Table:
    schema = arrow_schema()
    blank = {**dict.fromkeys(STORAGE), "shard": "", "split": ""}
    columns = [
        said[field.name]
        if field.name in DECISION
        else pa.array([blank[field.name]] * len(table), field.type)
        if field.name in blank
        else table[field.name]
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def check_units(work: Path, units: int) -> None:
    """Refuse to go on while a unit is missing.

    Raises:
        OutputError: one is.
    """
    missing = next((number for number in range(units) if not table_path(work, number).exists()), None)
    if missing is not None:
        raise OutputError(f"unit {missing} of {work} has not been computed")
