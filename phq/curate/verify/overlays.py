"""Verification of overlays, those in run.json and those in the folder: columns, keys and values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from phq.curate.verify.kinds import Violation
from phq.curate.verify.tables import DAMAGED, key_violations, row_groups, table_violations, version_of
from phq.dataset.folder import OVERLAYS
from phq.dataset.overlays import check_name, overlay_file, stack_names
from phq.dataset.tables import arrow_schema
from phq.dataset.tar import STORAGE
from phq.errors import InputError
from phq.schema import SCHEMA_VERSION, Row

_KEPT = ("key", "split", "decision", "source_sha256", "identity", "duplicate_of")
"""Columns that are checked over all rows and overlays at once."""


def names_in_force(run: Mapping[str, Any] | None) -> list[str]:
    """Names of the overlays in ``run.json``, bottom to top; none if that is not a list of names."""
    try:
        return stack_names(run or {})
    except InputError:
        return []


def known_keys(manifest: pa.Table | None, rejects: pa.Table | None) -> pa.Array:
    """Every key that an overlay may have."""
    columns = [table["key"] for table in (manifest, rejects) if table is not None]
    return pa.chunked_array([chunk for column in columns for chunk in column.chunks], pa.string()).combine_chunks()


def unlisted(folder: Path, names: Sequence[str]) -> list[str]:
    """Names of overlays in the folder (by their metadata) that are not in run.json, sorted."""
    found = []
    for path in sorted((folder / OVERLAYS).glob("*.parquet")):
        try:
            check_name(path.stem)
            with path.open("rb") as stream:
                notes = pq.read_schema(stream).metadata or {}
        except (InputError, *DAMAGED):
            continue
        if path.stem not in names and notes.get(b"kind") == b"overlay":
            found.append(path.stem)
    return found


def check_overlay(folder: Path, name: str, keys: pa.Array) -> tuple[list[Violation], pa.Table | None]:
    """Violations of one overlay, and its columns that decide about splits; None if its rows cannot be used.

    Args:
        folder: the dataset.
        name: of the overlay.
        keys: every key of manifest and rejects.
    """
    file = overlay_file(name)
    if not (folder / file).exists():
        return [Violation("overlay_missing", file)], None
    found: list[Violation] = []
    light: list[pa.Table] = []
    try:
        with (folder / file).open("rb") as stream:
            schema = pq.read_schema(stream)
        if fault := _schema_fault(schema, name):
            return [Violation("overlay_schema", file, "", fault)], None
        for table in row_groups(folder / file):
            found += table_violations(table, file)
            light.append(table.select([column for column in _KEPT if column in table.column_names]))
    except DAMAGED as error:
        return [Violation("overlay_unreadable", file, "", " ".join(str(error).split()))], None
    if not light:
        return found, None
    table = pa.concat_tables(light)
    found += key_violations(table["key"], file)
    strange = table["key"].filter(pc.invert(pc.is_in(table["key"], value_set=keys)))
    return found + [Violation("overlay_key", file, key or "") for key in strange.to_pylist()], table


def _schema_fault(schema: pa.Schema, name: str) -> str:
    if version_of(schema) != SCHEMA_VERSION:
        return f"its version is {version_of(schema)!r}, not {SCHEMA_VERSION!r}"
    notes = {key.decode(): value.decode(errors="replace") for key, value in schema.metadata.items()}
    if (notes.get("kind"), notes.get("name")) != ("overlay", name):
        return f"its metadata says {notes.get('kind')!r}, {notes.get('name')!r}"
    try:
        json.loads(notes.get("about", ""))
    except ValueError:
        return "its metadata does not say what made it (about)"
    if schema.names[:1] != ["key"] or len(set(schema.names)) != len(schema.names):
        return "its columns do not begin with key, or one is there twice"
    return "; ".join(filter(None, map(_column_fault, schema)))


def _column_fault(field: pa.Field) -> str:
    if field.name in STORAGE:
        return f"it has the column {field.name}, which says where bytes are"
    if field.name in Row.model_fields:
        right = arrow_schema().field(field.name).type
        return "" if field.type == right else f"{field.name} is {field.type}, not {right}"
    plain = (pa.string(), pa.int64(), pa.float64(), pa.bool_())
    return "" if field.type in plain else f"{field.name} is {field.type}, neither text, number nor boolean"
