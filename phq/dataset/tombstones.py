"""``tombstones.parquet``: hashes of what was redacted and must not come back.

A tombstone holds the sha256 of a text that names what is gone: the key of a sample, or the ``source_sha256`` of a whole
photo. With the same picture at hand it can be recognised; nothing can be read from the file alone.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from phq.dataset.folder import TOMBSTONES
from phq.dataset.root import Root
from phq.errors import InputError
from phq.schema import SCHEMA_VERSION
from phq.system.atomic import atomic_write

_TEXTS, _FLAGS = ("key_sha256", "date", "reason"), ("photo", "named")
_SCHEMA = pa.schema(
    [*(pa.field(name, pa.string()) for name in _TEXTS), *(pa.field(name, pa.bool_()) for name in _FLAGS)],
    metadata={"schema_version": SCHEMA_VERSION, "kind": "tombstones"},
)


@dataclass(frozen=True, order=True)
class Tombstone:
    """One redacted sample or photo."""

    key_sha256: str
    """sha256, in hex, of the key's text, or of the text of a photo's ``source_sha256``."""
    date: str
    """ISO day of the redaction."""
    reason: str
    """As the user stated it; '' if nothing was stated."""
    photo: bool = False
    """Whether it is of a photo, not of a sample."""
    named: bool = False
    """Whether the reason has a name of the person, and must not be published."""


def text_sha256(text: str) -> str:
    """sha256 of a key or of a photo's sha256, as a tombstone has it."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_tombstones(folder: str | Path | Root) -> list[Tombstone]:
    """All tombstones of a dataset, by hash; none where it has no such file.

    Raises:
        InputError: the file is damaged or lacks a column.
    """
    root = folder if isinstance(folder, Root) else Root(folder)
    if not root.exists(TOMBSTONES):
        return []
    try:
        rows = pq.read_table(io.BytesIO(root.read(TOMBSTONES))).to_pylist()
        return sorted(_tombstone(row) for row in rows)
    except (pa.ArrowInvalid, KeyError) as error:
        raise InputError(f"{TOMBSTONES} of {root.where} is damaged: {error}") from error


def _tombstone(row: Mapping[str, Any]) -> Tombstone:
    reason, named = str(row["reason"]), row.get("named")
    if named is None:  # an older file, and who knows whom its reason names
        named = reason
    return Tombstone(str(row["key_sha256"]), str(row["date"]), reason, bool(row.get("photo")), bool(named))


def unite_tombstones(tombstones: Iterable[Tombstone]) -> list[Tombstone]:
    """Each hash once, with its earliest date, sorted by hash.

    Of two that differ in nothing else, the one that says that its reason names somebody.
    """
    first: dict[str, Tombstone] = {}
    for tombstone in sorted(tombstones, key=lambda one: (one.key_sha256, one.date, one.reason, not one.named)):
        first.setdefault(tombstone.key_sha256, tombstone)
    return list(first.values())


def write_tombstones(path: Path, tombstones: Iterable[Tombstone]) -> None:
    """Write the file anew; the same tombstones in any order give the same bytes.

    Raises:
        OutputError: see `phq.system.atomic.output_errors`.
    """
    rows = [vars(tombstone) for tombstone in unite_tombstones(tombstones)]
    with atomic_write(path) as stream:
        pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), stream, compression="zstd")


def tombstoned(folder: str | Path | Root, names: Iterable[str]) -> set[str]:
    """Those of `names` that were redacted from the dataset in `folder`.

    Args:
        folder: folder or URL of a dataset, with or without tombstones.
        names: keys of samples, or ``source_sha256`` of photos.
    """
    gone = {tombstone.key_sha256 for tombstone in read_tombstones(folder)}
    return {name for name in names if text_sha256(name) in gone} if gone else set()
