"""Units of stand-ins, written from one template: what a build has done when it begins to put its dataset together.

Of a hundred people some are copies of another photo, look-alikes, mirror images, people of one scene, or rejects; all
others are unlike anyone else. Their pictures are noise.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from phq.building.executors.contract import Refusal
from phq.building.unit import COUNTS, DIGESTS, UnitResult, blob_path, table_path
from phq.camera.convention import CONVENTION, intrinsics
from phq.dataset.content import sample_digest
from phq.dataset.tables import arrow_schema, write_tables
from phq.dataset.tar import MEMBERS, STORAGE
from phq.photos.discover import Found
from phq.quality.appearance import MIRRORED
from phq.schema import SCHEMA_VERSION, Sample, column_kind, plain
from phq.stages.pipeline import Pipeline, StageCount
from phq.system.atomic import atomic_write

PICTURE = 2000
"""Bytes of a stand-in for a jpg; a real one of 512 × 512 has some 60,000."""
VARIED = ("key", "source_path", "source_sha256", "identity", "phash", "phash_mirror", "appearance", "keypoints_3d",
          "blur", "source_px_per_px", "camera_yaw_deg", "luminance")  # fmt: skip
COPY, ALIKE, MIRROR, SCENE, REJECT = 1, 4, 2, 5, 3
"""Percent of each kind."""


def template(rng: np.random.Generator) -> dict[str, Any]:
    """One record, of which all others differ in what has to differ."""
    record = {name: drawn(name, rng) for name in Sample.model_fields}
    record |= {"schema_version": SCHEMA_VERSION, "camera_convention": CONVENTION, "intrinsics": intrinsics()}
    points, crop = rng.uniform(10, 500, 66), np.array([1.0, 0, 0, 0, 1, 0])
    return plain(record | {"keypoints_2d": points, "crop_to_source": crop, "image_size": 512})


def drawn(name: str, rng: np.random.Generator) -> object:
    """A value of the type of a column."""
    kind, length = column_kind(name)
    if kind is str:
        return ""
    numbers = [kind(number) for number in rng.integers(0, 2, length or 1)]
    return numbers if length else numbers[0]


def people(number: int, inputs: Sequence[Found]) -> Iterator[dict[str, Any]]:
    """What differs of the people of a unit: every unit's own, but for those that repeat somebody of an earlier one."""
    for index, found in enumerate(inputs):
        here = _person(number, index)
        kind = int(np.random.default_rng([7, number, index]).integers(100))
        other = _person(number // 2, index)
        if number and kind < COPY:
            here["source_sha256"] = other["source_sha256"]
        elif number and kind < COPY + ALIKE:
            here |= {name: other[name] for name in ("phash", "phash_mirror", "appearance", "keypoints_3d")}
        elif number and kind < COPY + ALIKE + MIRROR:
            look = np.reshape(other["appearance"], (4, 6))[list(MIRRORED)].ravel().tolist()
            here |= {"phash": other["phash_mirror"], "phash_mirror": other["phash"], "appearance": look}
        elif number and kind < COPY + ALIKE + MIRROR + SCENE:
            here |= {name: other[name] for name in ("appearance", "keypoints_3d")}
        elif kind >= 100 - REJECT:
            here["luminance"] = 0.0
        yield here | {"source_path": found.name}


def _person(unit: int, index: int) -> dict[str, Any]:
    rng = np.random.default_rng([unit, index])
    colours = np.column_stack([rng.uniform(5, 95, 4), rng.normal(0, 18, (4, 2)), rng.uniform(5, 25, (4, 3))])
    body = rng.normal(0, 0.02, (33, 3)) + np.array([[0.2, -0.5, 0]]) * rng.choice([-1, 1], (33, 1))
    return {
        "source_sha256": rng.bytes(32).hex(), "phash": rng.bytes(8).hex(), "phash_mirror": rng.bytes(8).hex(),
        "appearance": _rounded(colours, 2), "keypoints_3d": _rounded(body, 4),
        "blur": round(float(rng.random()), 6), "source_px_per_px": round(float(rng.uniform(0.5, 4)), 4),
        "camera_yaw_deg": round(float(rng.uniform(-180, 180)), 4), "luminance": 0.5,
        "identity": f"person {rng.integers(1 << 24)}" if rng.random() < 0.2 else "",
    }  # fmt: skip


def _rounded(numbers: np.ndarray, digits: int) -> list[float]:
    """As in a json of phq, which has no −0."""
    return (np.round(numbers, digits) + 0.0).ravel().tolist()


class WriteUnit:
    """`phq.building.carrying.RunUnit`: a unit's table and blob without a pipeline.

    Args:
        first: whose people those of unit 0 are.
    """

    def __init__(self, first: int = 0) -> None:
        self.first = first
        self.record = template(np.random.default_rng(0))

    def __call__(
        self, pipeline: Pipeline, inputs: Sequence[Found], work: Path, number: int, refused: Mapping[int, Refusal]
    ) -> UnitResult:
        """Write them."""
        rows, digests = [], []
        with atomic_write(blob_path(work, number)) as blob:
            for index, person in enumerate(people(self.first + number, inputs)):
                rng = np.random.default_rng([1, self.first + number, index])
                jpg = rng.bytes(PICTURE)
                person["key"] = sample_key(jpg)
                content = json.dumps(self.record | person, sort_keys=True, separators=(",", ":")).encode()
                members, places = {"jpg": jpg, "json": content, "mask.png": rng.bytes(200)}, {}
                for name, part in members.items():
                    places[f"{MEMBERS[name]}_offset"], places[f"{MEMBERS[name]}_size"] = blob.tell(), len(part)
                    blob.write(part)
                rows.append(person | places)
                digests.append(sample_digest(members[name] for name in MEMBERS))
        result = UnitResult(len(rows), len(rows), stages={"stand-in": StageCount()})
        notes = {COUNTS: result.note(), DIGESTS: json.dumps(digests)}
        with atomic_write(table_path(work, number)) as stream:
            write_tables(stream, [self._table(rows, blob_path(work, number).name)], notes)
        return result

    def _table(self, rows: list[dict[str, Any]], blob: str) -> pa.Table:
        outcome = {"shard": blob, "decision": "kept", "reason": "", "detail": ""}
        columns = []
        for field in arrow_schema():
            if field.name in (*VARIED, *STORAGE[1:]):
                columns.append(pa.array([row[field.name] for row in rows], field.type))
            else:
                value = (self.record | outcome).get(field.name)
                columns.append(pa.array([value] * len(rows), field.type))
        return pa.Table.from_arrays(columns, schema=arrow_schema())


def sample_key(jpg: bytes) -> str:
    """Key of a sample with this picture."""
    return hashlib.sha256(jpg).hexdigest()[:16]
