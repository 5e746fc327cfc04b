"""`verify`: check every byte of a dataset against the format, and repair it if asked to (``phq verify``)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from phq.building.executors.calls import call_for_each
from phq.building.finalise.extension import restarts
from phq.curate.verify.beside import Described, beside_violations, read_run
from phq.curate.verify.kinds import Violation
from phq.curate.verify.overlays import check_overlay, known_keys, names_in_force, unlisted
from phq.curate.verify.repair import repair as repaired
from phq.curate.verify.report import Report
from phq.curate.verify.rows import ManifestRows
from phq.curate.verify.shard import ShardCheck, ShardFindings
from phq.curate.verify.splits import alike, repeated_people, repeated_pictures, split_violations
from phq.curate.verify.tables import check_manifest, check_rejects
from phq.dataset.folder import (
    MANIFEST,
    PREVIEW,
    REJECTS,
    SHARD,
    SPLITS,
    TOMBSTONES,
    WORK,
    files_of,
    is_ours,
    leftovers,
    shard_names,
    shard_number,
)
from phq.dataset.layout import MIN_SHARDS
from phq.dataset.overlays import overlay_file
from phq.dataset.preview import preview_keys
from phq.dataset.tombstones import read_tombstones, text_sha256
from phq.errors import InputError
from phq.schema import GROUPS
from phq.system.atomic import disk_errors_explained
from phq.system.bars import bar
from phq.system.journal import JOURNAL
from phq.system.threads import available_cores

_PAUSED = "; the same command continues what was interrupted there"
_KEY_IN_TEXT = r"\b(?P<key>[0-9a-f]{16})\b"
_NAMING = ("key", *GROUPS, "source_sha256")


@disk_errors_explained
def verify(
    dataset: str | Path,
    *,
    repair: bool = False,
    quick: bool = False,
    workers: int | None = None,
    quiet: bool = True,
) -> Report:
    """Verify a dataset.

    Args:
        dataset: a local folder.
        repair: repair first what can be repaired without loss; without, nothing is changed.
        quick: do not read the contents of images and masks, only tables, jsons, headers and offsets.
        workers: processes, by default one per core; the report does not depend on it.
        quiet: no progress bar.

    Raises:
        InputError: there is no dataset in that folder.
        OutputError: a repair cannot be written, or another process is changing the dataset.
        PhqError: worker processes died while reading a shard.
    """
    folder = Path(dataset)
    look = partial(_look, folder, quick, workers, quiet)
    return repaired(folder, look) if repair else look()


def _look(folder: Path, quick: bool, workers: int | None, quiet: bool) -> Report:
    check_is_dataset(folder)
    started = time.perf_counter()
    report = Report(folder, quick, list(_folder_violations(folder)), _notes(folder))
    manifest_found, manifest = check_manifest(folder)
    rejects_found, rejects = check_rejects(folder, manifest)
    run, run_found = read_run(folder)
    report.violations += [*manifest_found, *rejects_found, *run_found]
    shards = check_shards(folder, manifest, quick, workers or available_cores(), quiet)
    report.violations += _shard_violations(folder, shards, manifest, restarts(run))
    overlays, overlay_found = _overlays(folder, run, manifest, rejects)
    report.violations += overlay_found
    if manifest is not None:
        report.violations += [*repeated_people(manifest), *split_violations(manifest, list(overlays.items()))]
    tables = {MANIFEST: manifest, REJECTS: rejects, **overlays}
    tables |= {name: pa.table({"key": list(found.places)}) for name, found in shards.items()}
    tables[PREVIEW] = pa.table({"key": pa.array(preview_keys(folder / PREVIEW), pa.string())})
    named = {name: table for name, table in tables.items() if table is not None}
    report.violations += _redaction_violations(folder, named)
    checksums = {name: found.sha256 for name, found in shards.items() if found.sha256}
    report.state = Described(folder, indexed(folder, shards), manifest, rejects, checksums, run)
    report.violations += beside_violations(report.state)
    _measure(report, shards, started)
    return report


def check_is_dataset(folder: Path) -> None:
    """Check that a folder holds a dataset, or what is left of one.

    Raises:
        InputError: it does not.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}")
    if not (folder / MANIFEST).exists() and not any(shard_names(folder).values()):
        raise InputError(f"{folder} holds no dataset: neither {MANIFEST} nor a shard is there")


@dataclass(frozen=True)
class _Job:
    name: str
    compared: frozenset[str]


@dataclass
class _Context:
    folder: Path
    quick: bool
    rows: ManifestRows | None


def _open(folder: Path, quick: bool, with_rows: bool) -> _Context:
    return _Context(folder, quick, ManifestRows(folder) if with_rows else None)


def _check(context: _Context, job: _Job) -> ShardFindings:
    rows = None if context.rows is None else context.rows.of(job.name)
    return ShardCheck(context.folder, job.name, rows, context.quick, job.compared).run()


def check_shards(
    folder: Path, manifest: pa.Table | None, quick: bool, workers: int, quiet: bool
) -> dict[str, ShardFindings]:
    """Findings in each shard by its path inside the dataset, in order of split and number."""
    names = [name for shards in shard_names(folder).values() for name in shards]
    compared = alike(manifest) if manifest is not None and not quick else {}
    jobs = [_Job(name, compared.get(name, frozenset())) for name in names]
    setup = partial(_open, folder, quick, manifest is not None)
    found = {}
    with bar(total=len(jobs), unit="shard", desc="verify", quiet=quiet) as shown:
        for findings in call_for_each(setup, _check, jobs, max(1, min(workers, len(jobs)))):
            found[findings.name] = findings
            shown.update()
    return {name: found[name] for name in names}


def _shard_violations(
    folder: Path, shards: Mapping[str, ShardFindings], manifest: pa.Table | None, restarts: frozenset[tuple[str, int]]
) -> Iterator[Violation]:
    for findings in shards.values():
        yield from findings.violations
    yield from _across_shards(shards, restarts)
    for split, names in shard_names(folder).items():
        least = min(MIN_SHARDS, sum(shards[name].samples for name in names))
        if len(names) < least:
            yield Violation("shards_too_few", split, "", f"{len(names)} of at least {least}")
    if manifest is not None:
        for entry in pc.value_counts(manifest["shard"]).to_pylist():
            if entry["values"] not in shards:
                yield Violation("shard_missing", entry["values"] or MANIFEST, "", f"{entry['counts']} samples")
    yield from repeated_pictures({name: findings.digests for name, findings in shards.items()})


def _across_shards(shards: Mapping[str, ShardFindings], restarts: frozenset[tuple[str, int]]) -> Iterator[Violation]:
    """Keys in two shards, and shards whose keys do not follow those of the shard before.

    Args:
        shards: findings by path.
        restarts: split and number of shards with which an extension begins, whose keys start again.
    """
    first: dict[str, str] = {}
    last = ("", "")
    for name, findings in shards.items():
        keys = list(findings.places)
        for key in keys:
            if first.setdefault(key, name) != name:
                yield Violation("key_repeated", name, key, f"it is in {first[key]} too")
        split = name.partition("/")[0]
        if keys and split == last[0] and keys[0] < last[1] and (split, shard_number(name)) not in restarts:
            yield Violation("key_order", name, keys[0], f"the shard before it ends with {last[1]}")
        last = (split, keys[-1]) if keys else last


def _overlays(
    folder: Path, run: Mapping[str, Any] | None, manifest: pa.Table | None, rejects: pa.Table | None
) -> tuple[dict[str, pa.Table], list[Violation]]:
    """Usable overlays in force by file, bottom to top, and the violations of all overlays."""
    names = names_in_force(run)
    keys = known_keys(manifest, rejects)
    usable, found = {}, []
    for name in names:
        violations, table = check_overlay(folder, name, keys)
        found += violations
        if table is not None:
            usable[overlay_file(name)] = table
    found += [Violation("overlay_unlisted", overlay_file(name)) for name in unlisted(folder, names)]
    return usable, found


def indexed(folder: Path, shards: Mapping[str, ShardFindings]) -> dict[str, list[tuple[str, int, int]]]:
    """Split → path, samples and bytes of each of its shards."""
    return {
        split: [(name, shards[name].samples, shards[name].size) for name in names]
        for split, names in shard_names(folder).items()
    }


def _measure(report: Report, shards: Mapping[str, ShardFindings], started: float) -> None:
    report.shards = len(shards)
    report.samples = sum(findings.samples for findings in shards.values())
    report.size = sum(findings.size for findings in shards.values())
    report.seconds = time.perf_counter() - started


def _folder_violations(folder: Path) -> Iterator[Violation]:
    """Leftovers of an interrupted run, and shards whose names or numbers do not follow the format."""
    if (folder / JOURNAL).exists():
        yield Violation("journal_left", JOURNAL)
    for name in leftovers(folder):
        yield Violation("leftover", name)
    for split in SPLITS:
        for path in sorted((folder / split).glob("*.tar")):
            if not SHARD.fullmatch(f"{split}/{path.name}"):
                yield Violation("shard_name", f"{split}/{path.name}")
    for names in shard_names(folder).values():
        for number, name in enumerate(names):
            if shard_number(name) != number:
                yield Violation("shard_numbering", name, "", f"number {number} is missing")
                break


def _notes(folder: Path) -> list[str]:
    """A line for each file in the folder that is not part of the dataset; such files are not violations."""
    reported = {violation.file for violation in _folder_violations(folder)}
    strange = [name for name in files_of(folder) if not is_ours(name) and name not in reported]
    return [f"{name} is not a file of the format{_PAUSED if name.startswith(WORK) else ''}" for name in strange]


def _redaction_violations(folder: Path, tables: Mapping[str, pa.Table]) -> Iterator[Violation]:
    """Redacted keys and photos that are still there.

    Args:
        folder: the dataset.
        tables: tables that name samples, by file, with any of the columns ``key``, ``duplicate_of`` and groups,
            ``source_sha256``, ``detail`` and ``shard``.
    """
    try:
        gone = {tombstone.key_sha256 for tombstone in read_tombstones(folder)}
    except InputError as error:
        yield Violation("tombstones_unreadable", TOMBSTONES, "", str(error))
        return
    for file, table in tables.items() if gone else ():
        for column, name in _names(table):
            if text_sha256(name) in gone:
                yield Violation("tombstone_alive", file, name, f"in {column}")


def _names(table: pa.Table) -> Iterator[tuple[str, str]]:
    """(column, text) of every key and every photo that a table names, each once a column."""
    for column in _NAMING:
        if column in table.column_names:
            yield from ((column, name) for name in pc.unique(table[column]).to_pylist() if name)
    if "detail" in table.column_names:
        found = pc.struct_field(pc.extract_regex(table["detail"], _KEY_IN_TEXT), "key")
        yield from (("detail", name) for name in pc.unique(found).to_pylist() if name)
