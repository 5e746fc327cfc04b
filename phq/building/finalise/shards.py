"""Finalising a shard: samples from the units' blobs into one tar, and their rows into a table beside the units.

A shard is a task for the same executors as a unit of photos. Its note is written last: with it the shard is done.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from phq.building.executors.contract import Notify, Task
from phq.building.finalise.decisions import Decisions
from phq.building.finalise.gather import DIGEST, PLACES, DamagedUnitError, unit_errors
from phq.building.finalise.ordered import ordered
from phq.building.unit import blob_path
from phq.dataset.content import content_tag_of
from phq.dataset.croissant import StoredFile
from phq.dataset.folder import shard_name
from phq.dataset.layout import MIN_SHARDS, plan_shards, sample_sizes
from phq.dataset.tables import arrow_schema, row_tables, take_rows, write_tables
from phq.dataset.tar import MEMBERS, ShardWriter, read_member
from phq.dataset.write import Shard
from phq.errors import PhqError
from phq.schema import DECISION, Fields
from phq.system.arrays import Ints
from phq.system.atomic import atomic_write, output_errors, write_bytes
from phq.system.columns_on_disk import ColumnsOnDisk
from phq.system.place import file_system, is_remote
from phq.system.retrying import ShortReadError, retried

GROUP = 256
"""Rows of a shard in memory at a time."""
_RANGES = 64
"""Samples read with one request from an object store."""
_TAKEN = ("key", "unit", "split", *DECISION, *PLACES, DIGEST)


@dataclass(frozen=True)
class ShardJob:
    """A shard that is to be written."""

    name: str
    """Path inside the dataset."""
    samples: pa.Table
    """`_TAKEN`, in order."""

    @property
    def sha256(self) -> str:
        """Of its samples: with another plan or another existing dataset, a shard of this name has other samples."""
        return hashlib.sha256(json.dumps(self.samples.to_pylist()).encode()).hexdigest()


def shard_jobs(decisions: Decisions, first: Mapping[str, int] | None = None) -> Iterator[ShardJob]:
    """Every shard of a dataset, split by split, one at a time.

    Args:
        decisions: on everyone.
        first: number of the first new shard of each split, in an existing dataset.
    """
    rows = decisions.by_split()
    samples = _in_order(decisions, np.concatenate(list(rows.values())))
    stop = 0
    for split, members in rows.items():
        number, begin = (first or {}).get(split, 0), stop
        stop += len(members)
        if first is not None and not len(members):
            continue
        table = samples.table().slice(begin, len(members))
        sizes = sample_sizes(table[f"{prefix}_size"].to_numpy() for prefix in MEMBERS.values())
        ranges = plan_shards(sizes, max(1, MIN_SHARDS - number)) or [range(0)]
        digests = (table[DIGEST].slice(part.start, len(part)).to_pylist() for part in ranges)
        tag = content_tag_of(enumerate(digests, number))
        for place, part in enumerate(ranges, number):
            # the rows alone, and not what they lie in, go to a worker
            job = take_rows(samples.table().slice(begin, len(members)), np.arange(part.start, part.stop))
            yield ShardJob(shard_name(split, place, tag), job)


def _in_order(decisions: Decisions, rows: Ints) -> ColumnsOnDisk:
    """`_TAKEN` of rows, in that order, on the disk."""
    folder = decisions.people.folder / "ordered"
    samples = ColumnsOnDisk(folder, _taken_schema())
    for table in ordered(_placed(decisions, rows), len(rows), folder):
        samples.append(table)
    return samples


def _placed(decisions: Decisions, rows: Ints) -> Iterator[tuple[pa.Table, Ints]]:
    """`_TAKEN` of rows, in the order of the plan, and the place of each among `rows`."""
    places, start = np.argsort(rows), 0
    for table in decisions.batches(_TAKEN, kept=True):
        yield table, places[start : start + len(table)]
        start += len(table)


def _taken_schema() -> pa.Schema:
    known, own = arrow_schema(), {"unit": pa.int32(), DIGEST: pa.string()}
    return pa.schema([pa.field(name, own[name]) if name in own else known.field(name) for name in _TAKEN])


@dataclass(frozen=True)
class WriteShards:
    """`phq.building.executors.contract.Work`: makes shards out of a work folder."""

    out: Path
    """Where the shards go."""
    work: Path

    def setup(self) -> None:
        """Nothing to load."""

    def run(self, state: None, task: Task, notify: Notify) -> Shard:
        """One shard, unless it is done."""
        (job,) = task.items
        if task.refused:
            raise PhqError(f"worker processes die as they write {job.name}; what is finished is kept")
        return shard_done(self.out, self.work, job) or write_shard(self.out, self.work, job)

    def run_alone(self, state: None, task: Task, item: int, notify: Notify) -> None:
        """There is one item: nothing to tell apart."""

    def sees(self, task: Task) -> dict[str, str]:
        """Whether the units are there."""
        return {str(self.work): "a folder" if self.work.exists() else "nothing"}


def note_path(work: Path, name: str) -> Path:
    """The note that marks a shard as done."""
    return work / f"{Path(name).stem}.json"


def rows_path(work: Path, name: str) -> Path:
    """Rows of a shard that is done, as the manifest has them."""
    return work / f"{Path(name).stem}.rows.parquet"


def shard_done(out: Path, work: Path, job: ShardJob) -> Shard | None:
    """A shard that is done; None if it is not, has other samples, or has been touched."""
    shard, rows = out / job.name, rows_path(work, job.name)
    try:
        noted = json.loads(note_path(work, job.name).read_bytes())
        done = StoredFile(job.name, noted["size"], noted["sha256"])
        same = noted["samples"] == job.sha256 and rows.exists() and shard.stat().st_size == done.size
        return Shard(done, len(job.samples)) if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_shard(out: Path, work: Path, job: ShardJob) -> Shard:
    """Write tar, rows and note, in this order, in place of those of an earlier attempt.

    Raises:
        DamagedUnitError: a sample is not what its unit says.
        OutputError: see `phq.system.atomic.output_errors`.
    """
    note = note_path(work, job.name)
    with output_errors(note):
        note.unlink(missing_ok=True)
    with atomic_write(rows_path(work, job.name)) as stream, ShardWriter(out / job.name, job.name) as shard:
        tables = row_tables(_rows(work, job, shard), complete=True, group=GROUP, stored=True)
        write_tables(stream, tables, group=GROUP)
    done = StoredFile(job.name, shard.measured.size, shard.measured.sha256)
    content = {"size": done.size, "sha256": done.sha256, "samples": job.sha256}
    write_bytes(note, json.dumps(content).encode())
    return Shard(done, len(job.samples))


def _rows(work: Path, job: ShardJob, shard: ShardWriter) -> Iterator[dict[str, Any]]:
    """Add sample after sample to the shard; its row is its json, and what was decided."""
    for start in range(0, len(job.samples), _RANGES):
        samples = job.samples.slice(start, _RANGES).to_pylist()
        for sample, content in zip(samples, contents(work, samples), strict=True):
            members, record = members_of(sample, content)
            decision = {name: sample[name] for name in ("split", *DECISION)}
            yield record | decision | shard.add(sample["key"], members)


def contents(work: Path, samples: list[dict[str, Any]]) -> list[bytes]:
    """The bytes of each sample: its members one after the other, as in its unit's blob."""
    places = [(s["unit"], s["jpg_offset"], sum(s[f"{prefix}_size"] for prefix in MEMBERS.values())) for s in samples]
    if is_remote(work) and places:
        fs, folder = file_system(work)
        paths = [f"{folder}/{blob_path(work, unit).name}" for unit, _, _ in places]
        starts, ends = [start for _, start, _ in places], [start + size for _, start, size in places]
        found = fs.cat_ranges(paths, starts, ends, on_error="return")
        fetched = zip(paths, starts, ends, found, strict=True)
        whole = [_whole(fs, *part) for part in fetched]
        return [_checked(unit, content) for (unit, _, _), content in zip(places, whole, strict=True)]
    return [_content(work, *place) for place in places]


def _whole(fs: Any, path: str, start: int, end: int, content: bytes | Exception) -> bytes | Exception:
    """A part of an object; asked for again where it came short, or its request failed for a moment."""
    if not isinstance(content, Exception) and len(content) == end - start:
        return content
    try:
        return retried(path, lambda: _part(fs, path, start, end))
    except Exception as error:  # noqa: BLE001 - the file systems of fsspec raise errors of their own
        return error


def _part(fs: Any, path: str, start: int, end: int) -> bytes:
    content: bytes = fs.cat_file(path, start=start, end=end)
    if len(content) < end - start <= fs.info(path)["size"] - start:
        raise ShortReadError(f"the server sent {len(content)} bytes of {end - start}")
    return content


def _checked(unit: int, content: bytes | Exception) -> bytes:
    with unit_errors(unit):
        if isinstance(content, Exception):
            raise content
        return content


def _content(work: Path, unit: int, offset: int, size: int) -> bytes:
    with unit_errors(unit):
        return read_member(blob_path(work, unit), offset, size)


def members_of(sample: Mapping[str, Any], content: bytes) -> tuple[dict[str, bytes], Fields]:
    """The members by name, and what the json says.

    Raises:
        DamagedUnitError: the key is not the hash of the image, or the json is damaged or of another sample.
    """
    ends = np.cumsum([sample[f"{prefix}_size"] for prefix in MEMBERS.values()]).tolist()
    members = {name: content[start:end] for name, start, end in zip(MEMBERS, [0, *ends], ends, strict=False)}
    if hashlib.sha256(members["jpg"]).hexdigest()[:16] != sample["key"]:
        raise DamagedUnitError(sample["unit"], f"the key of sample {sample['key']} is not the hash of its image")
    with unit_errors(sample["unit"]):
        record: Fields = json.loads(members["json"])
        if record["key"] != sample["key"]:
            raise DamagedUnitError(sample["unit"], f"the json of sample {sample['key']} is of another one")
    return members, record
