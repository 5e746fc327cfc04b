"""One work unit: a few photos through the pipeline, stored as a table and a blob of encoded samples.

The table is the marker of a finished unit: it gets its name last, and carries the unit's counts in its metadata.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from phq.building.executors.contract import Refusal
from phq.dataset.content import sample_digest
from phq.dataset.tables import write_rows
from phq.dataset.tar import MEMBERS
from phq.people.person import Photo, Reject
from phq.photos.discover import Found
from phq.schema import plain
from phq.stages.pipeline import Pipeline, StageCount
from phq.system.atomic import atomic_write

BATCH_PHOTOS = 4
"""Photos decoded at the same time; the landmark network sees all their people in one batch."""
COUNTS = "counts"
"""Key of the counts in the metadata of a unit's table."""
DIGESTS = "digests"
"""Key of the digests of its rows' samples (`phq.dataset.content.sample_digest`), "" for a row without one."""


@dataclass
class UnitResult:
    """Counts of a finished unit, for the progress bar and ``run.json``."""

    photos: int
    kept: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    stages: dict[str, StageCount] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)
    """By photo, see `phq.people.person.Photo.remark`."""

    def note(self) -> str:
        """As the unit's table carries it."""
        stages = {name: asdict(count) for name, count in self.stages.items()}
        return json.dumps({**vars(self), "stages": stages})

    @staticmethod
    def noted(text: str | bytes) -> UnitResult:
        """What `note` has written."""
        said = json.loads(text)
        stages = {name: StageCount(**count) for name, count in said["stages"].items()}
        return UnitResult(said["photos"], said["kept"], Counter(said["reasons"]), stages, said["remarks"])


def table_path(work: Path, number: int) -> Path:
    """Table of a finished unit."""
    return work / f"{number:06d}.parquet"


def blob_path(work: Path, number: int) -> Path:
    """Encoded samples of a unit, one after the other."""
    return work / f"{number:06d}.bin"


def run_unit(
    pipeline: Pipeline, inputs: Sequence[Found], work: Path, number: int, refused: Mapping[int, Refusal]
) -> UnitResult:
    """Carry the unit's photos through the pipeline and store what came out.

    Args:
        refused: photos, by index, that are rejected without being touched.

    Raises:
        OutputError: the work folder cannot be written (full disk…); finished units stay.
    """
    pipeline.counts.clear()
    rows: list[dict[str, Any]] = []
    remarks: dict[str, str] = {}
    digests: list[str] = []
    with atomic_write(blob_path(work, number)) as blob:
        for photo in _carried(pipeline, inputs, refused):
            remarks |= {photo.name: photo.remark} if photo.remark else {}
            for row, members in photo_rows(photo):
                places: dict[str, int] = {}
                for name, content in members.items():
                    places[f"{MEMBERS[name]}_offset"] = blob.tell()
                    places[f"{MEMBERS[name]}_size"] = len(content)
                    blob.write(content)
                rows.append({**row, **places, "shard": blob_path(work, number).name})
                digests.append(sample_digest(members[name] for name in MEMBERS) if members else "")
    reasons = Counter(row["reason"] for row in rows if row["reason"])
    result = UnitResult(len(inputs), len(rows) - reasons.total(), reasons, dict(pipeline.counts), remarks)
    with atomic_write(table_path(work, number)) as stream:
        write_rows(stream, rows, complete=False, notes={COUNTS: result.note(), DIGESTS: json.dumps(digests)})
    return result


def _carried(pipeline: Pipeline, inputs: Sequence[Found], refused: Mapping[int, Refusal]) -> Iterator[Photo]:
    for start in range(0, len(inputs), BATCH_PHOTOS):
        batch = range(start, min(start + BATCH_PHOTOS, len(inputs)))
        yield from pipeline.each([opened(inputs[number], refused.get(number)) for number in batch])


def opened(found: Found, refusal: Refusal | None) -> Photo:
    """A photo on its way into the pipeline; rejected if a worker died of it or never came back."""
    photo = Photo(found.path, found.name, entry=found.entry)
    if refusal is not None:
        photo.reject(refusal.reason, refusal.detail)
    return photo


def photo_rows(photo: Photo) -> Iterator[tuple[dict[str, Any], dict[str, bytes]]]:
    """Rows of a photo's people with their members; one row without a person for a photo rejected as a whole."""
    facts = plain(photo.record())
    if photo.rejected is not None and not photo.people:
        yield facts | _outcome(photo.rejected), {}
    for person in photo.people:
        outcome = _outcome(person.rejected or photo.rejected)
        yield facts | plain(person.record()) | outcome, person.members


def _outcome(reject: Reject | None) -> dict[str, str]:
    if reject is None:
        return {"decision": "kept", "reason": "", "detail": ""}
    return {"decision": "rejected", "reason": reject.reason, "detail": reject.detail}
