"""Tombstones: that nothing which was redacted is still named anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from phq.curate.verify.kinds import Violation
from phq.dataset.folder import TOMBSTONES
from phq.dataset.tombstones import read_tombstones, text_sha256
from phq.errors import InputError
from phq.schema import GROUPS

_KEY_IN_TEXT = r"\b(?P<key>[0-9a-f]{16})\b"
_NAMES = ("key", *GROUPS, "source_sha256")


def redaction_violations(folder: Path, tables: Mapping[str, pa.Table]) -> Iterator[Violation]:
    """Redacted keys and photos that are still there.

    Args:
        folder: the dataset. tables: what names samples, by the file it comes from: columns ``key``,
            ``duplicate_of`` and groups, ``source_sha256``, ``detail``, ``shard``, as many as there are.
    """
    try:
        gone = {stone.key_sha256 for stone in read_tombstones(folder)}
    except InputError as error:
        yield Violation("tombstones_unreadable", TOMBSTONES, "", str(error))
        return
    for file, table in tables.items() if gone else ():
        for column, name in _names(table):
            if text_sha256(name) in gone:
                yield Violation("tombstone_alive", file, name, f"in {column}")


def _names(table: pa.Table) -> Iterator[tuple[str, str]]:
    """(column, text) of every key and every photo that a table names, each once a column."""
    for column in _NAMES:
        if column in table.column_names:
            yield from ((column, name) for name in pc.unique(table[column]).to_pylist() if name)
    if "detail" in table.column_names:
        found = pc.struct_field(pc.extract_regex(table["detail"], _KEY_IN_TEXT), "key")
        yield from (("detail", name) for name in pc.unique(found).to_pylist() if name)
