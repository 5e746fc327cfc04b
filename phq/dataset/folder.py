"""The dataset's folder: names of its files, which files are phq's, and which a killed run has left."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from phq.errors import OutputError
from phq.schema import SCHEMA_VERSION
from phq.system.atomic import output_errors, tmp_path
from phq.system.journal import JOURNAL
from phq.system.locking import LOCK

SPLITS = ("train", "val")
MANIFEST, REJECTS = "manifest.parquet", "rejects.parquet"
RUN, SCHEMA, CARD, CROISSANT, SHEET = "run.json", "schema.json", "README.md", "croissant.json", "contact-sheet.png"
TOMBSTONES = "tombstones.parquet"
INPUTS = ".phq-inputs.parquet"
"""The list of inputs in a finished dataset. Like the times in ``run.json`` it depends on the machine; without it an
extension reads all photos to find those that have changed."""
WORK = ".phq-work"
"""Folder of finished units, until the dataset is written from them."""
OVERLAYS, REVIEWS = "overlays", "reviews"
PREVIEW, DATASHEET, TAKEDOWNS = "preview/preview.tar", "DATASHEET.md", "TAKEDOWNS.md"
"""Files of a published copy alone (`phq.exchange.publish`): some pictures for the page of a hub, and two texts."""
MARKS_LOG = f"{REVIEWS}/marks.jsonl"
REVIEW_LOCK = f"{REVIEWS}/lock"
SHARD = re.compile(rf"({'|'.join(SPLITS)})/phq-\1-(\d{{6}})-([0-9a-f]{{12}})\.tar")
"""Split, number, and tag of the content (`phq.dataset.content`)."""
_OVERLAY = re.compile(rf"{OVERLAYS}/[^/]+\.parquet")


def index_name(split: str) -> str:
    """Path of a split's index inside the dataset: not beside the shards, where readers of a folder take all files."""
    return f"{split}-index.json"


_TABLES = (MANIFEST, REJECTS)
_TEXTS = (CARD, CROISSANT, SCHEMA, RUN, *map(index_name, SPLITS))
_SINGLE = (*_TABLES, *_TEXTS, TOMBSTONES, INPUTS, SHEET, PREVIEW, MARKS_LOG, REVIEW_LOCK)


def shard_name(split: str, number: int, tag: str) -> str:
    """Path of a shard inside the dataset.

    Args:
        split: name of the split.
        number: of the shard in the split, from 0.
        tag: of its content, see `phq.dataset.content.content_tag`: readers keep copies of shards by their file names.
    """
    return f"{split}/phq-{split}-{number:06d}-{tag}.tar"


def shard_number(name: str) -> int:
    """Number of a shard in its split.

    Raises:
        ValueError: this is not the path of a shard.
    """
    found = SHARD.fullmatch(name)
    if found is None:
        raise ValueError(f"{name!r} is not the path of a shard")
    return int(found[2])


def is_ours(name: str) -> bool:
    """Whether a path inside the dataset is that of a file of the format."""
    return name in _SINGLE or bool(SHARD.fullmatch(name) or _OVERLAY.fullmatch(name))


def is_half_written(name: str) -> bool:
    """Whether this is the path under which a file of the format grows until it is whole."""
    return name.endswith(".tmp") and is_ours(name.removesuffix(".tmp"))


def shard_names(folder: Path) -> dict[str, list[str]]:
    """Split → paths of its shards inside the dataset, by number; splits without shards and index are left out."""
    found = {}
    for split in SPLITS:
        shards = sorted(f"{split}/{path.name}" for path in (folder / split).glob("*.tar"))
        shards = [name for name in shards if SHARD.fullmatch(name)]
        if shards or (folder / index_name(split)).exists():
            found[split] = shards
    return found


def leftovers(folder: Path) -> list[str]:
    """Half-written files, and the work folder beside a finished dataset; sorted."""
    half = [name for name in files_of(folder) if is_half_written(name)]
    return half + ([WORK] if (folder / WORK).exists() and (folder / MANIFEST).exists() else [])


def files_of(folder: Path) -> list[str]:
    """Files at the top and in the folders of the format, and other folders as a whole; sorted."""
    inside = (*SPLITS, OVERLAYS, REVIEWS, PREVIEW.partition("/")[0])
    paths = [path for path in folder.iterdir() if path.name not in (*inside, JOURNAL, WORK)]
    for name in inside:
        if (folder / name).is_dir():
            paths += (folder / name).iterdir()
    return sorted(path.relative_to(folder).as_posix() + ("/" if path.is_dir() else "") for path in paths)


def _signed(path: Path) -> bool:
    """Whether a file has the version of the format, as all files do that phq writes under a common name."""
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


def _inside(path: Path) -> str:
    """Path of a split's file inside the dataset, without the suffix of a half-written one."""
    return f"{path.parent.name}/{path.name.removesuffix('.tmp')}"


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
        if path.suffix == ".tar" and not SHARD.fullmatch(_inside(path)):
            raise OutputError(f"{path} would be read as a shard of the dataset; choose another folder")


def unfinished(folder: Path) -> str:
    """A sentence where a folder holds the work of a build that has not written its dataset, else ''."""
    if (folder / MANIFEST).exists() or all(path.name == LOCK for path in (folder / WORK).glob("*")):
        return ""
    return f"{folder} is an unfinished build: run the same build again and it continues"


def clear_dataset(out: Path) -> None:
    """Remove an earlier dataset, or what an interrupted attempt has left; the manifest first.

    Overlays, pictures and anything else in the folder stay.

    Raises:
        OutputError: a file cannot be removed.
    """
    named = [out / name for name in (*_TABLES, *_TEXTS)]
    shards = [path for path in _tars(out) if SHARD.fullmatch(_inside(path))]
    for path in (*named, *map(tmp_path, named), *shards):
        with output_errors(path):
            path.unlink(missing_ok=True)


def clear_leftovers(out: Path, shards: Collection[str]) -> None:
    """Remove half-written files of a killed attempt at the same dataset, and shards that do not belong to it.

    Args:
        out: folder of the dataset.
        shards: paths, inside the dataset, of the shards that belong to it.

    Raises:
        OutputError: a file cannot be removed.
    """
    named = [tmp_path(out / name) for name in (*_TABLES, *_TEXTS, SHEET)]
    tars = [path for path in _tars(out) if SHARD.fullmatch(_inside(path))]
    for path in (*named, *(path for path in tars if f"{path.parent.name}/{path.name}" not in shards)):
        with output_errors(path):
            path.unlink(missing_ok=True)
