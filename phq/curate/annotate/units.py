"""One work unit of an annotation: a few photos through the chosen stages, stored as a table of what they say."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from phq.building.executors.contract import Refusal
from phq.building.plan import Plan
from phq.building.unit import BATCH_PHOTOS, UnitResult, table_path
from phq.curate.annotate.views import StoredPerson, StoredPhoto
from phq.dataset.tables import arrow_schema, read_table
from phq.errors import InputError
from phq.people.person import Photo, Reject
from phq.photos.discover import Found
from phq.schema import Fields, column_kind, rounded
from phq.stages.pipeline import Pipeline
from phq.system.atomic import atomic_write

SAME, SAME_ANGLE = 1e-5, 1e-4
"""Numbers this near to each other, or so near in proportion, are the same number. Records keep six decimals, and an
angle follows from several of them: in degrees, or of a short bone of the arm in radians, by more than the last."""


@dataclass(frozen=True)
class StoredInput(Found):
    """A photo to annotate again."""

    samples: tuple[int, ...]
    """Numbers of its samples in the dataset."""
    found: bool
    """`path` is the raw photo; otherwise it is not looked at."""
    boxes: tuple[tuple[float, ...], ...] = ()
    """Of everybody in the raw photo, photo pixels: neighbours count though their samples are not annotated."""


@dataclass(frozen=True)
class AnnotatePlan(Plan):
    """What an annotation has to do."""

    task: str
    """All that distinguishes it from another annotation of the same photos with the same configuration."""

    @property
    def id(self) -> str:
        """As that of a build, with the task."""
        return hashlib.sha256(f"{super().id} {self.task}".encode()).hexdigest()[:16]


def unit_schema(columns: Sequence[str]) -> pa.Schema:
    """Columns of a unit's table: the label columns, why a person was thrown out, and how the row came about."""
    known = arrow_schema()
    fields = [known.field(name) for name in ("key", *columns, "reason", "detail")]
    return pa.schema([*fields, pa.field("kind", pa.string()), pa.field("changed", pa.list_(pa.string()))])


def annotate_unit(
    pipeline: Pipeline,
    inputs: Sequence[StoredInput],
    work: Path,
    number: int,
    refused: Mapping[int, Refusal],
    *,
    columns: Sequence[str],
) -> UnitResult:
    """Carry the unit's photos through the pipeline and store what it says of their people in `columns`.

    Args:
        refused: photos, by index, that are not looked at: their people are rejected and keep their labels.

    Raises:
        OutputError: the work folder cannot be written; finished units stay.
    """
    pipeline.counts.clear()
    rows: list[Fields] = []
    for start in range(0, len(inputs), BATCH_PHOTOS):
        batch = range(start, min(start + BATCH_PHOTOS, len(inputs)))
        for photo in pipeline.each([open_stored(inputs[i], refused.get(i)) for i in batch]):
            rows += _rows_of(photo, columns)
    table = pa.Table.from_pylist(rows, unit_schema(columns))
    with atomic_write(table_path(work, number)) as stream:
        pq.write_table(table, stream)
    reasons = Counter(row["reason"] for row in rows if row["reason"])
    return UnitResult(len(inputs), len(rows) - reasons.total(), reasons, dict(pipeline.counts))


def open_stored(found: StoredInput, refusal: Refusal | None) -> Photo:
    """A photo on its way into the pipeline; rejected if a worker died of it or never came back."""
    photo = StoredPhoto(
        found.path, found.name, entry=found.entry, samples=found.samples, found=found.found, boxes=found.boxes
    )
    if refusal is not None:
        photo.reject(refusal.reason, refusal.detail)
    return photo


def read_units(work: Path, number: int, columns: Sequence[str]) -> pa.Table:
    """The tables of all units as one, see `unit_schema`."""
    tables = [read_table(table_path(work, i)) for i in range(number)]
    return pa.concat_tables([table.cast(unit_schema(columns)) for table in tables])


def _rows_of(photo: Photo, columns: Sequence[str]) -> list[Fields]:
    if not photo.people:
        assert photo.rejected is not None
        raise InputError(f"a sample of {photo.name} cannot be read from the dataset: {photo.rejected.detail}")
    return [_row_of(cast(StoredPerson, person), photo.rejected, columns) for person in photo.people]


def _row_of(person: StoredPerson, fault: Reject | None, columns: Sequence[str]) -> Fields:
    """What is now said of a person; of one who was thrown out, what was said before, and the reason."""
    reject = person.rejected or fault
    now = person.record()
    said = {} if reject else {name: beyond_rounding(name, now[name], person.row[name]) for name in columns}
    changed = [name for name, value in said.items() if value != person.row[name]]
    before = {name: person.row[name] for name in columns}
    why = {"reason": reject.reason, "detail": reject.detail} if reject else {"reason": "", "detail": ""}
    return {"key": person.row["key"], **before, **said, **why, "kind": person.view.kind, "changed": changed}


def beyond_rounding(name: str, new: Any, old: Any) -> Any:
    """The new value of a column as it is stored, or the old one where they differ by no more than rounding."""
    value = rounded(name, new)
    near = SAME_ANGLE if name == "smpl_pose" or name.endswith("_deg") else SAME
    same = column_kind(name)[0] is float and np.allclose(value, old, rtol=SAME, atol=near)
    return old if same else value
