"""Verification of manifest and rejects: readable, with the right columns, values and order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from phq.curate.verify.kinds import Violation
from phq.curate.verify.values import value_findings
from phq.dataset.folder import MANIFEST, REJECTS, SPLITS
from phq.dataset.tables import arrow_schema
from phq.reasons import reason_names
from phq.schema import PROVENANCE, SCHEMA_VERSION

LIGHT = (
    "key", "split", "decision", "reason", "detail", "duplicate_of", "duplicate_group", "scene_group", "identity_group",
    "shard", "jpg_offset", "source_path", "source_sha256", "person_index", "phash", "camera_yaw_deg", *PROVENANCE,
)  # fmt: skip
"""Columns that are checked over all rows at once; of the others only one row group is in memory at a time."""
DAMAGED = (pa.ArrowException, OSError, UnicodeDecodeError)
"""Errors that Arrow raises for a damaged Parquet file."""


def row_groups(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The row groups of a Parquet file.

    Raises:
        DAMAGED: any of these, possibly after some groups.
    """
    with path.open("rb") as stream:
        file = pq.ParquetFile(stream)
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns=columns)


def version_of(schema: pa.Schema) -> str:
    """Version of the format that a table states, '' if none."""
    return str((schema.metadata or {}).get(b"schema_version", b"").decode(errors="replace"))


def schema_fault(schema: pa.Schema) -> str:
    """Why the columns of a table are not those of the manifest, '' if they are."""
    if version_of(schema) != SCHEMA_VERSION:
        return f"its version is {version_of(schema)!r}, not {SCHEMA_VERSION!r}"
    right = arrow_schema()
    if missing := [name for name in right.names if name not in schema.names]:
        return f"it has no column {', '.join(missing)}"
    if unknown := [name for name in schema.names if name not in right.names]:
        return f"it has the unknown column {', '.join(unknown)}"
    wrong = [field.name for field in right if schema.field(field.name).type != field.type]
    if wrong:
        return f"{', '.join(f'{name} is {schema.field(name).type}' for name in wrong)}"
    return "" if schema.names == right.names else "its columns are in another order"


def check_manifest(folder: Path) -> tuple[list[Violation], pa.Table | None]:
    """Violations of the manifest as a table, and its `LIGHT` columns; None if its rows cannot be used."""
    found, light = _check_table(folder, MANIFEST, "manifest")
    if light is None:
        return found, None
    found += key_violations(light["key"], MANIFEST)
    found += _row_violations(light)
    return found, light


def check_rejects(folder: Path, manifest: pa.Table | None) -> tuple[list[Violation], pa.Table | None]:
    """The same for the rejects."""
    found, light = _check_table(folder, REJECTS, "rejects")
    if light is not None:
        found += _reject_violations(light, manifest)
    return found, light


def _check_table(folder: Path, name: str, prefix: str) -> tuple[list[Violation], pa.Table | None]:
    path = folder / name
    if not path.exists():
        return [Violation(f"{prefix}_missing", name)], None
    found: list[Violation] = []
    light: list[pa.Table] = []
    try:
        with path.open("rb") as stream:
            schema = pq.read_schema(stream)
        if fault := schema_fault(schema):
            return [Violation(f"{prefix}_schema", name, "", fault)], None
        for table in row_groups(path):
            light.append(table.select(LIGHT))
            found += table_violations(table, name, nulls=name == REJECTS)
    except DAMAGED as error:
        return [Violation(f"{prefix}_unreadable", name, "", " ".join(str(error).split()))], None
    return found, pa.concat_tables(light) if light else schema.empty_table().select(LIGHT)


def table_violations(table: pa.Table, name: str, nulls: bool = False) -> Iterator[Violation]:
    """`value_findings` with the key of each row, and its shard where it has one, else `name`."""
    for kind, row, detail in value_findings(table, nulls):
        shard = table["shard"][row].as_py() if "shard" in table.column_names else ""
        yield Violation(kind, shard or name, table["key"][row].as_py() or "", detail)


def key_violations(column: pa.ChunkedArray, file: str) -> Iterator[Violation]:
    """Keys of a table that are repeated or do not ascend."""
    keys = column.combine_chunks()
    for entry in repeated(keys):
        yield Violation("key_repeated", file, entry, "in several rows")
    for row in pc.indices_nonzero(pc.fill_null(pc.greater(keys[:-1], keys[1:]), False)).to_pylist():
        yield Violation("key_order", file, keys[row + 1].as_py(), f"it follows {keys[row]}")


def repeated(keys: pa.Array) -> list[str]:
    """Values that occur more than once, each once, except null and ''."""
    counts = pc.value_counts(keys)
    values = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    return [value for value in values.to_pylist() if value]


def _row_violations(light: pa.Table) -> Iterator[Violation]:
    for batch in light.select(["key", "split", "decision", "reason", "shard"]).to_batches():
        for row in batch.to_pylist():
            file = row["shard"] or MANIFEST
            if (row["decision"], row["reason"]) != ("kept", ""):
                yield Violation("row_not_kept", file, row["key"], f"{row['decision']} {row['reason']!r}")
            if row["split"] not in SPLITS:
                yield Violation("split_unknown", file, row["key"], f"{row['split']!r}")
            elif row["shard"] and not row["shard"].startswith(row["split"] + "/"):
                yield Violation("split_differs", file, row["key"], f"the manifest says {row['split']}")


def _reject_violations(light: pa.Table, manifest: pa.Table | None) -> Iterator[Violation]:
    known = reason_names()
    kept = frozenset() if manifest is None else frozenset(manifest["key"].to_pylist())
    for batch in light.to_batches():
        for row in batch.to_pylist():
            key, of = row["key"] or "", f"for {row['source_path']}"
            if row["reason"] not in known:
                yield Violation("reject_reason", REJECTS, key, f"{row['reason']!r} {of}")
            if row["shard"] or row["jpg_offset"] is not None:
                yield Violation("reject_stored", REJECTS, key, f"{row['shard']!r} {of}")
            if key in kept and row["reason"] != "exact_duplicate":
                yield Violation("reject_kept", REJECTS, key, f"{row['reason']} {of}")
