"""Repair of the manifest: places from the shards, rows from whole jsons, order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from phq.config.build import Config
from phq.curate.verify.archive import Entry, walk
from phq.curate.verify.record import read_json
from phq.curate.verify.report import Report
from phq.curate.verify.shard import Places
from phq.dataset.folder import MANIFEST
from phq.dataset.tables import ROWS_PER_GROUP, read_table, rows_table, write_table
from phq.dataset.tar import MEMBERS, read_member
from phq.dataset.tombstones import tombstoned
from phq.decisions.decision import NEEDED, decide_table
from phq.decisions.likeness import LIKENESS, compact, find_likeness
from phq.errors import ConfigError
from phq.schema import GROUPS, Fields, Sample, sample_to_json
from phq.system.journal import Change

MENDS = frozenset((
    "manifest_missing", "manifest_unreadable", "manifest_schema", "sample_missing", "sample_unlisted", "offset_wrong",
    "size_wrong", "key_order", "split_unknown", "split_differs", "value_missing", "value_invalid", "not_finite",
    "json_differs",
))  # fmt: skip
_GAPS = frozenset(("index_wrong", "shard_numbering"))
"""Signs of missing shards, which a manifest rebuilt without them would hide."""
_VALUES = ("value_missing", "value_invalid", "not_finite")


@dataclass(frozen=True)
class _Stored:
    """Where a sample is stored."""

    shard: str
    places: Places

    def columns(self) -> Fields:
        """Its storage columns and split."""
        found: Fields = {"shard": self.shard, "split": self.shard.partition("/")[0]}
        for prefix, (offset, size) in self.places.items():
            found |= {f"{prefix}_offset": offset, f"{prefix}_size": size}
        return found


def mend(report: Report, change: Change) -> list[str]:
    """Stage a manifest whose places, splits and order are right.

    Rows that cannot be used take the fields of a sample from its json. Samples without a row get one, decided by the
    configuration in ``run.json``. If there is no usable manifest at all, it is rebuilt only if every sample of every
    shard is whole.
    """
    folder, state = change.folder, report.state
    if state is None:
        return []
    stored, whole = _located(folder, state.paths())
    old = read_table(folder / MANIFEST) if state.manifest is not None else None
    if old is None and (not whole or _GAPS.intersection(found.kind for found in report.violations)):
        return []
    from_json = _by_json(report)
    fresh = _fresh_rows(folder, stored, old, from_json, state.run)
    if old is None and len(fresh) < len(stored):
        return []
    try:
        write_table(change.path(MANIFEST), _rows(folder, old, stored, fresh, from_json), complete=True)
    except ValueError:  # a row that no json can help
        change.path(MANIFEST).unlink(missing_ok=True)
        return []
    if old is not None and read_table(change.path(MANIFEST)).equals(old):
        change.path(MANIFEST).unlink()
        return []
    return [f"{MANIFEST} {'rebuilt from the shards' if old is None else 'brought in line with the shards'}"]


def _located(folder: Path, shards: list[str]) -> tuple[dict[str, _Stored], bool]:
    """Samples that are whole in exactly one sound shard, by key; and whether these are all samples."""
    found: dict[str, _Stored] = {}
    whole, twice = True, set[str]()
    for name in shards:
        places = _places(folder / name)
        whole &= places is not None
        for key, members in (places or {}).items():
            if key in found:
                twice.add(key)
            found[key] = _Stored(name, members)
    return {key: place for key, place in found.items() if key not in twice}, whole and not twice


def _places(shard: Path) -> dict[str, Places] | None:
    """Members of each sample, by key; None if the shard is not sound."""
    found: dict[str, Places] = {}
    try:
        with shard.open("rb") as stream:
            for entry in walk(stream, shard.stat().st_size, {}):
                key, _, member = entry.name.partition(".")
                if not isinstance(entry, Entry) or member not in MEMBERS or MEMBERS[member] in found.get(key, {}):
                    return None
                found.setdefault(key, {})[MEMBERS[member]] = (entry.offset, entry.size)
    except OSError:
        return None
    return found if all(len(members) == len(MEMBERS) for members in found.values()) else None


def _by_json(report: Report) -> frozenset[str]:
    """Keys of rows that take their values from the json: unusable ones, and those where only the shard is unchanged."""
    changed = {found.file for found in report.violations if found.kind == "checksum_differs"}
    unusable = {found.key for found in report.violations if found.kind in _VALUES}
    if MANIFEST not in changed or report.quick:
        return frozenset(unusable)
    differing = {f.key for f in report.violations if f.kind == "json_differs" and f.file not in changed}
    return frozenset(unusable | differing)


def _sample_of(folder: Path, stored: _Stored) -> Fields | None:
    """The fields of a whole and canonical json."""
    content = read_member(folder / stored.shard, *stored.places[MEMBERS["json"]])
    sample = read_json(content)
    return sample.model_dump() if isinstance(sample, Sample) and sample_to_json(sample) == content else None


def _fresh_rows(
    folder: Path,
    stored: Mapping[str, _Stored],
    old: pa.Table | None,
    by_json: frozenset[str],
    run: Mapping[str, Any] | None,
) -> dict[str, Fields]:
    """Rows of samples missing in the manifest, decided as by the build; redacted ones are left out."""
    unknown = stored.keys() - (set() if old is None else set(old["key"].to_pylist()))
    config = _config(run)
    if not unknown or config is None:
        return {}
    samples = {key: _sample_of(folder, stored[key]) for key in sorted(unknown - tombstoned(folder, unknown))}
    rows = [sample for key, sample in samples.items() if sample and sample["key"] == key]
    decisions = decide_table(rows_table(rows, NEEDED), np.ones(len(rows), bool), config.when_stored()).to_pylist()
    fresh = [row | said for row, said in zip(rows, decisions, strict=True) if said["decision"] == "kept"]
    if old is not None:  # a row names samples that look alike, which may be any others
        _mark(fresh, _without(old, by_json), config.storing_all())
    return {row["key"]: row for row in fresh}


def _without(table: pa.Table, keys: frozenset[str]) -> pa.Table:
    return table.filter(pc.invert(pc.is_in(table["key"], value_set=pa.array([None, *sorted(keys)], pa.string()))))


def _mark(fresh: list[Fields], old: pa.Table, config: Config) -> None:
    """Set duplicates and groups of new rows among themselves and the old ones."""
    new = rows_table(fresh, LIKENESS)
    every = compact(pa.concat_tables([new, old.select(LIKENESS).cast(new.schema)]).combine_chunks())
    found = find_likeness(every, config).by_row(every, config)
    for number, row in enumerate(fresh):
        row.update({name: found.get(number, {}).get(name, "") for name in GROUPS})


def _config(run: Mapping[str, Any] | None) -> Config | None:
    try:
        return Config.model_validate((run or {})["config"])
    except (KeyError, ValidationError, ConfigError):
        return None


def _rows(
    folder: Path,
    old: pa.Table | None,
    stored: Mapping[str, _Stored],
    fresh: Mapping[str, Fields],
    by_json: frozenset[str],
) -> Iterator[Fields]:
    """Rows of the new manifest by key; a new row replaces one without a key."""
    anew = {(stored[key].shard, stored[key].places["jpg"][0]) for key in fresh}
    known = [old[name].to_pylist() for name in ("key", "shard", "jpg_offset")] if old is not None else [[]] * 3
    places = enumerate(zip(*known, strict=True))
    keys = [(key or "", number) for number, (key, *place) in places if key or tuple(place) not in anew]
    order = iter(sorted([*keys, *((key, -1) for key in fresh)]))
    while chunk := list(islice(order, ROWS_PER_GROUP)):
        numbers = [number for _, number in chunk if number >= 0]
        taken = iter(old.take(pa.array(numbers)).to_pylist() if numbers and old is not None else [])
        for key, number in chunk:
            row = dict(fresh[key]) if number < 0 else next(taken)
            if key in stored:
                said = _sample_of(folder, stored[key]) if key in by_json else None
                row |= (said or {}) | stored[key].columns()
            yield row
