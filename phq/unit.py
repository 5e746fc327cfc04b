"""One work unit: a few photos through the pipeline, stored as a table and a blob of encoded samples.

The table is renamed into place last, so a unit either is finished or does not exist.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from phq.photos.discover import Found
from phq.pipeline import Pipeline
from phq.schema import plain
from phq.shards.atomic import atomic_write
from phq.shards.stage import photo_fields
from phq.shards.tables import write_table
from phq.shards.tar import MEMBERS
from phq.work import Photo, Reject

BATCH_PHOTOS = 4
"""Photos decoded at the same time; the landmark network sees all their people in one batch."""


@dataclass
class UnitResult:
    """Counts of a finished unit, for the progress bar and ``run.json``."""

    photos: int
    kept: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)


def table_path(work: Path, number: int) -> Path:
    """Table of a finished unit."""
    return work / f"{number:06d}.parquet"


def blob_path(work: Path, number: int) -> Path:
    """Encoded samples of a unit, one after the other."""
    return work / f"{number:06d}.bin"


def run_unit(pipeline: Pipeline, inputs: list[Found], work: Path, number: int) -> UnitResult:
    """Carry the unit's photos through the pipeline and store what came out.

    Raises:
        OutputError: the work folder cannot be written (full disk…); finished units stay.
    """
    pipeline.seconds.clear()
    rows: list[dict[str, Any]] = []
    with atomic_write(blob_path(work, number)) as blob:
        for start in range(0, len(inputs), BATCH_PHOTOS):
            photos = [Photo(found.path, found.name) for found in inputs[start : start + BATCH_PHOTOS]]
            for photo in pipeline.run(photos):
                for row, members in photo_rows(photo):
                    places: dict[str, int] = {}
                    for name, content in members.items():
                        places[f"{MEMBERS[name]}_offset"] = blob.tell()
                        places[f"{MEMBERS[name]}_size"] = len(content)
                        blob.write(content)
                    rows.append({**row, **places, "shard": blob_path(work, number).name})
    write_table(table_path(work, number), rows, complete=False)
    reasons = Counter(row["reason"] for row in rows if row["reason"])
    kept = sum(1 for row in rows if not row["reason"])
    return UnitResult(len(inputs), kept, reasons, dict(pipeline.seconds))


def photo_rows(photo: Photo) -> Iterator[tuple[dict[str, Any], dict[str, bytes]]]:
    """Rows of a photo's people with their members; one row without a person for a photo rejected as a whole."""
    facts = plain(photo_fields(photo))
    if photo.rejected is not None and not photo.people:
        yield facts | _outcome(photo.rejected), {}
    for person in photo.people:
        outcome = _outcome(person.rejected or photo.rejected)
        yield facts | plain(person.fields) | {"person_index": person.index} | outcome, person.members


def _outcome(reject: Reject | None) -> dict[str, str]:
    if reject is None:
        return {"decision": "kept", "reason": "", "detail": ""}
    return {"decision": "rejected", "reason": reject.reason, "detail": reject.detail}
