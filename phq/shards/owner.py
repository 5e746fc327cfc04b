"""What in an output folder was written by phq: only that is ever replaced or removed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from phq.errors import OutputError
from phq.schema import SCHEMA_VERSION
from phq.shards import croissant
from phq.shards.atomic import output_errors, tmp_path
from phq.shards.card import SPLITS

MANIFEST = "manifest.parquet"
_TABLES = (MANIFEST, "rejects.parquet")
SHEET = "contact-sheet.png"
CROISSANT = croissant.CROISSANT
_TEXTS = ("README.md", CROISSANT, "schema.json", "run.json", *(f"{split}/index.json" for split in SPLITS))
_SHARD = re.compile(r"phq-(train|val)-\d{6}\.tar(\.tmp)?")


def _signed(path: Path) -> bool:
    """Every file phq writes under a common name carries the version of the format."""
    if path.suffix != ".parquet":
        return SCHEMA_VERSION.encode() in path.read_bytes()
    try:
        with path.open("rb") as stream:
            notes = pq.read_schema(stream).metadata or {}
    except pa.ArrowInvalid:
        return False
    return bool(notes.get(b"schema_version") == SCHEMA_VERSION.encode())


def _tars(out: Path) -> Iterator[Path]:
    for split in SPLITS:
        yield from sorted((out / split).glob("*.tar*"))


def check_folder(out: Path) -> None:
    """Refuse a folder where writing a dataset would replace, or mix with, files that phq did not write.

    Raises:
        OutputError: names the first such file, or says that the folder cannot be read.
    """
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file; the output must be a folder")
    for path in (out / name for name in (*_TABLES, *_TEXTS, SHEET)):
        with output_errors(path):
            ours = not path.exists() or (path.is_file() and _signed(path))
        if not ours:
            raise OutputError(f"{path} was not written by phq and would be replaced; choose another folder")
    for path in _tars(out):
        if path.suffix == ".tar" and not _SHARD.fullmatch(path.name):
            raise OutputError(f"{path} would be read as a shard of the dataset; choose another folder")


def clear_dataset(out: Path) -> None:
    """Remove an earlier dataset or what an interrupted attempt left; the manifest goes first.

    Overlays, pictures and anything else in the folder stay.

    Raises:
        OutputError: a file cannot be removed.
    """
    named = [out / name for name in (*_TABLES, *_TEXTS)]
    shards = [path for path in _tars(out) if _SHARD.fullmatch(path.name)]
    for path in (*named, *map(tmp_path, named), *shards):
        with output_errors(path):
            path.unlink(missing_ok=True)


def clear_leftovers(out: Path, shards: Collection[str]) -> None:
    """Remove what a killed attempt at the same dataset has left half-written, and shards that are not of it.

    Args:
        shards: paths, inside the dataset, of those that are.

    Raises:
        OutputError: a file cannot be removed.
    """
    named = [tmp_path(out / name) for name in (*_TABLES, *_TEXTS, SHEET)]
    tars = [path for path in _tars(out) if _SHARD.fullmatch(path.name)]
    for path in (*named, *(path for path in tars if f"{path.parent.name}/{path.name}" not in shards)):
        with output_errors(path):
            path.unlink(missing_ok=True)
