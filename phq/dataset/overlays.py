"""Overlays: re-annotations stored beside the shards, which change what is read without changing a shard.

``overlays/NAME.parquet`` has a row for each sample that it changes, sorted by key, with any columns of `phq.schema.Row`
except the storage columns, and possibly plain columns of its own (a weight, a reviewer). ``run.json`` lists the
overlays in force under ``overlays``, from the first to the last. Each stands on the one before it, or on the revision
that ``bases`` names for it. A revision of the dataset is named ``none`` (as built), by an overlay (with all that it
stands on), or ``latest`` (that of the last overlay).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from phq.dataset.folder import MANIFEST, OVERLAYS, REJECTS, RUN
from phq.dataset.parquet import ParquetTable
from phq.dataset.root import Root
from phq.dataset.run import read_run
from phq.dataset.tables import ROWS_PER_GROUP, arrow_schema, checked_column
from phq.dataset.tar import STORAGE
from phq.errors import InputError, OutputError
from phq.schema import SCHEMA_VERSION, Row, plain
from phq.system.atomic import atomic_write
from phq.system.journal import Change, stage
from phq.system.json_text import json_bytes

TABLES = (MANIFEST, REJECTS)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_EXTRA = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_PLAIN = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
NONE, LATEST = "none", "latest"


def overlay_file(name: str) -> str:
    """Path of an overlay inside the dataset."""
    return f"{OVERLAYS}/{name}.parquet"


def check_name(name: str) -> None:
    """Check the name of an overlay.

    Raises:
        InputError: an overlay cannot have this name.
    """
    if name in (NONE, LATEST) or not _NAME.fullmatch(name):
        raise InputError(
            f"an overlay cannot be called {name!r}: up to 64 letters, digits, '.', '_' and '-', a letter or digit "
            f"first, and not '{NONE}' or '{LATEST}'"
        )


def stack_names(run: Mapping[str, Any]) -> list[str]:
    """Names of the overlays in force, in the order in which they were made, from the content of ``run.json``.

    Raises:
        InputError: it is not a list of names.
    """
    names = run.get("overlays", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"'overlays' in run.json is {names!r}, not a list of names")
    for name in names:
        check_name(name)
    return list(names)


def names_up_to(run: Mapping[str, Any], revision: str | None) -> list[str]:
    """Names of the overlays of a revision, bottom to top.

    Args:
        run: content of ``run.json``.
        revision: None or ``none``, the name of an overlay, or ``latest``.

    Raises:
        InputError: there is no such revision, the message lists those there are; or ``bases`` cannot be followed.
    """
    names = stack_names(run)
    at = [NONE, *names, LATEST].index(_known(revision or NONE, names))
    at, found = min(at, len(names)), list[str]()
    while at:
        found.append(names[at - 1])
        at = _base(run, names, at)
    return found[::-1]


def _known(revision: str, names: Sequence[str]) -> str:
    known = [NONE, *names, LATEST]
    if revision not in known:
        raise InputError(f"the dataset has no overlay {revision!r}; it has: {', '.join(known)}")
    return revision


def _base(run: Mapping[str, Any], names: Sequence[str], at: int) -> int:
    """The number, from 1, of the overlay that overlay `at` stands on; 0 for the dataset as built."""
    bases = run.get("bases", {})
    earlier = [NONE, *names[: at - 1]]
    base = bases.get(names[at - 1], earlier[-1]) if isinstance(bases, dict) else None
    if base not in earlier:
        why = f"stands on {base!r}, which is not among those before it: {', '.join(earlier)}"
        raise InputError(f"'bases' in run.json says that overlay {names[at - 1]} {why}")
    return earlier.index(base)


def open_overlay(root: Root, name: str) -> ParquetTable:
    """An overlay whose columns are read on first use.

    Raises:
        InputError: the file is missing, is not an overlay, or has another version of the format.
    """
    table = ParquetTable(root, overlay_file(name))
    if table.notes.get("kind") != "overlay" or "key" not in table.names:
        raise InputError(f"{overlay_file(name)} of {root.where} is not an overlay of phq")
    return table


def about_overlay(root: Root, name: str) -> dict[str, Any]:
    """How an overlay was made: command, version, settings; {} if that is not stated.

    Raises:
        InputError: see `open_overlay`.
    """
    about = json.loads(open_overlay(root, name).notes.get("about", "{}"))
    return about if isinstance(about, dict) else {}


def positions(keys: pa.ChunkedArray, overlay_keys: pa.ChunkedArray) -> pa.ChunkedArray:
    """For each key the number of the overlay's row, null where it has none."""
    return pc.index_in(keys, value_set=overlay_keys)


def overlaid(column: pa.ChunkedArray | None, values: pa.ChunkedArray, places: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column with an overlay's values in the rows that it has; null elsewhere if there was no such column.

    Args:
        column: the column below, None if there is none.
        values: the column of the overlay.
        places: see `positions`.
    """
    return chosen(column, values.take(places), places)


def chosen(column: pa.ChunkedArray | None, found: pa.ChunkedArray, places: pa.ChunkedArray) -> pa.ChunkedArray:
    """`overlaid`, by the values that have been taken from the overlay for each row."""
    return found if column is None else pc.if_else(pc.is_valid(places), found, column.cast(found.type))


def apply_overlays(table: pa.Table, overlays: Sequence[pa.Table]) -> pa.Table:
    """The table with overlays applied: rows in the same order, with columns that only an overlay has appended.

    Args:
        table: any columns, ``key`` among them; rows whose key is null or in no overlay do not change.
        overlays: bottom to top, so that the later wins; keys of each are unique.
    """
    for overlay in overlays:
        places = positions(table["key"], overlay["key"])
        for name in overlay.column_names:
            if name == "key":
                continue
            index = table.schema.get_field_index(name)
            column = overlaid(None if index < 0 else table.column(index), overlay[name], places)
            field = overlay.schema.field(name)
            table = table.append_column(field, column) if index < 0 else table.set_column(index, field, column)
    return table


def write_overlay(  # noqa: PLR0913 - what an overlay is
    folder: Path,
    name: str,
    rows: Iterable[Mapping[str, Any]],
    columns: Sequence[str],
    about: Mapping[str, Any],
    *,
    read: Mapping[str, Any] | None = None,
    base: str = LATEST,
    look: Callable[[Root], object] | None = None,
) -> None:
    """Write an overlay and put it on top of a revision, as the latest one, in one change of the dataset
    (`phq.system.journal`).

    The same rows, in any order, give the same bytes.

    Args:
        folder: the dataset.
        name: of the overlay; see `check_name`.
        rows: ``key`` and a value for each of `columns`; arrays are flattened and floats rounded as in the json.
        columns: fields of `phq.schema.Row` except the storage columns, and plain columns of any other name, whose type
            is that of the first value.
        about: how it was made, as JSON: command, groups, version, config, weights.
        read: content of ``run.json`` when the labels it was made from were read, None for any.
        base: the revision that it stands on.
        look: called with the dataset as it will be, just before it is.

    Raises:
        InputError: the name cannot be used or is taken, or the dataset does not have a key.
        ValueError: a column cannot be in an overlay, or a row lacks a value or has one of the wrong type.
        OutputError: there are other overlays than in `read`; for others see `phq.system.atomic.output_errors`.
    """
    check_name(name)
    table = _overlay(name, rows, columns, about)
    with stage(folder) as change:
        _stage(change, name, table, read, base)
        if look is not None:
            look(Root(folder, change.new))


def stage_overlay(
    change: Change, name: str, rows: Iterable[Mapping[str, Any]], columns: Sequence[str], about: Mapping[str, Any]
) -> None:
    """Put an overlay on top of the latest revision as part of a change, whose new tables and ``run.json`` it is about.

    Args:
        change: of the dataset.
        name: see `write_overlay`, as the others and the errors.
        rows: see `write_overlay`.
        columns: see `write_overlay`.
        about: see `write_overlay`.
    """
    check_name(name)
    _stage(change, name, _overlay(name, rows, columns, about), None, LATEST)


def _stage(change: Change, name: str, table: pa.Table, read: Mapping[str, Any] | None, base: str) -> None:
    root = Root(change.folder, change.new)
    run = read_run(root)
    names = stack_names(run)
    check_taken(root, name, names)
    if read is not None and names != stack_names(read):
        raise OutputError(f"another overlay was put on {change.folder} meanwhile; annotate again, on top of it")
    _check_replaceable(root, name)
    _check_keys(root, table["key"])
    _write(change.path(overlay_file(name)), table)
    change.write(RUN, json_bytes(run | {"overlays": [*names, name]} | _with_base(run, names, name, base)))


def _with_base(run: Mapping[str, Any], names: Sequence[str], name: str, base: str) -> dict[str, Any]:
    """``bases`` of ``run.json`` with a new overlay; nothing where it stands on the one before it."""
    below = names_up_to(run, base)
    if below[-1:] == list(names[-1:]):
        return {}
    return {"bases": {**run.get("bases", {}), name: below[-1] if below else NONE}}


def write_overlay_file(
    folder: Path, name: str, rows: Iterable[Mapping[str, Any]], columns: Sequence[str], about: Mapping[str, Any]
) -> None:
    """Write an overlay into a folder that will become a dataset, whose ``run.json`` will list it.

    Arguments and errors are those of `write_overlay`, but the keys cannot be checked yet.
    """
    check_name(name)
    _check_replaceable(Root(folder), name)
    _write(folder / overlay_file(name), _overlay(name, rows, columns, about))


def _overlay(
    name: str, rows: Iterable[Mapping[str, Any]], columns: Sequence[str], about: Mapping[str, Any]
) -> pa.Table:
    notes = {"schema_version": SCHEMA_VERSION, "kind": "overlay", "name": name, "about": _json(about)}
    return _sorted(_overlay_table(rows, columns)).replace_schema_metadata(notes)


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)


def _check_columns(columns: Sequence[str]) -> None:
    if not columns or len(set(columns)) < len(columns):
        raise ValueError(f"the columns of an overlay are {list(columns)}: at least one, each once")
    for name in columns:
        if name in ("key", *STORAGE):
            raise ValueError(f"an overlay cannot change {name}: the stored bytes stay what and where they are")
        if name not in Row.model_fields and not _EXTRA.fullmatch(name):
            raise ValueError(f"{name!r} cannot be the name of a column: letters, digits and '_', no digit first")


def _fields(columns: Sequence[str], first: Mapping[str, Any]) -> list[pa.Field]:
    known = arrow_schema()
    fields = [known.field("key")]
    for name in columns:
        if name in Row.model_fields:
            fields.append(known.field(name))
            continue
        kind = type(first.get(name, ""))
        if kind not in _PLAIN:
            raise ValueError(f"column {name} holds {first.get(name)!r}, expected a string, a number or a boolean")
        fields.append(pa.field(name, _PLAIN[kind]))
    return fields


def _checked(name: str) -> Callable[[pa.Field, list[Any]], pa.Array]:
    return checked_column if name in Row.model_fields else _extra_column


def _extra_column(field: pa.Field, values: list[Any]) -> pa.Array:
    for value in values:
        if _PLAIN.get(type(value)) != field.type:
            raise ValueError(f"column {field.name} holds {value!r}, expected {field.type}")
    return pa.array(values, field.type)


def _overlay_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> pa.Table:
    _check_columns(columns)
    rest = (plain(dict(row)) for row in rows)
    tables: list[pa.Table] = []
    fields: list[pa.Field] = []
    while batch := list(islice(rest, ROWS_PER_GROUP)):
        fields = fields or _fields(columns, batch[0])
        for row in batch:
            if row.keys() != {"key", *columns} or None in row.values():
                raise ValueError(f"row {row.get('key', '?')} must have a value for each of key, {', '.join(columns)}")
        arrays = [_checked(field.name)(field, [row[field.name] for row in batch]) for field in fields]
        tables.append(pa.Table.from_arrays(arrays, schema=pa.schema(fields)))
    return pa.concat_tables(tables) if tables else pa.schema(_fields(columns, {})).empty_table()


def _sorted(table: pa.Table) -> pa.Table:
    counts = pc.value_counts(table["key"])
    for entry in counts.filter(pc.greater(counts.field("counts"), 1))[:1]:
        raise ValueError(f"an overlay has one row a key; {entry['values']} has {entry['counts']}")
    return table.take(pc.sort_indices(table["key"]))


def local_folder(root: Root, dataset: str | Path) -> Path:
    """Where an overlay is written.

    Args:
        root: of the opened dataset.
        dataset: as the user named it.

    Raises:
        InputError: it is not on this machine.
    """
    if root.local is None:
        raise InputError(f"{dataset} is not a folder on this machine; an overlay can only be written into one")
    return root.local


def check_taken(root: Root, name: str, names: Sequence[str]) -> None:
    """Check that no overlay in force has a name.

    Raises:
        InputError: one has it, perhaps in capitals: on a case-insensitive disk its file would be replaced.
    """
    for taken in names:
        if taken.lower() == name.lower():
            why = "choose another name (nothing is ever overwritten)"
            raise InputError(f"{root.where} already has an overlay {taken}; {why}")


def _check_replaceable(root: Root, name: str) -> None:
    if root.exists(overlay_file(name)):  # an overlay that is not in force may be replaced, any other file may not
        open_overlay(root, name)


def _check_keys(root: Root, keys: pa.ChunkedArray) -> None:
    known = pa.chunked_array([c for name in TABLES for c in ParquetTable(root, name).read(["key"])["key"].chunks])
    unknown = keys.filter(pc.invert(pc.is_in(keys, value_set=known)))
    if len(unknown):
        raise InputError(
            f"{root.where} has no sample {unknown[0]}, of which the overlay speaks ({len(unknown)} such keys)"
        )


def _write(path: Path, table: pa.Table) -> None:
    with atomic_write(path) as stream, pq.ParquetWriter(stream, table.schema, compression="zstd") as writer:
        for start in range(0, len(table), ROWS_PER_GROUP):  # so that the bytes do not depend on the rows' batches
            writer.write_table(table.slice(start, ROWS_PER_GROUP).combine_chunks())
