"""The dataset's folder: which files belong to it, which an interrupted run left, and which are somebody's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from phq.curate.tombstones import TOMBSTONES
from phq.dataset.journal import JOURNAL
from phq.frozen import INPUTS
from phq.health.kinds import Violation
from phq.health.overlays import FOLDER as OVERLAYS
from phq.health.tables import REJECTS
from phq.plan import WORK
from phq.review.log import FOLDER as REVIEWED
from phq.review.log import LOG
from phq.shards.card import SPLITS
from phq.shards.owner import CROISSANT, MANIFEST, SHEET

REVIEWS = (LOG, f"{REVIEWED}/lock")
_TOP = (MANIFEST, REJECTS, TOMBSTONES, INPUTS, SHEET, CROISSANT, "README.md", "schema.json", "run.json")
SHARD = re.compile(rf"({'|'.join(SPLITS)})/phq-\1-(\d{{6}})\.tar")
_PAUSED = "; the same command continues what was interrupted there"
_OVERLAY = re.compile(rf"{OVERLAYS}/[^/]+\.parquet")


def is_ours(name: str) -> bool:
    """Whether the format has a file of this path inside the dataset."""
    indices = [f"{split}/index.json" for split in SPLITS]
    return name in (*_TOP, *indices, *REVIEWS) or bool(SHARD.fullmatch(name) or _OVERLAY.fullmatch(name))


def shard_names(folder: Path) -> dict[str, list[str]]:
    """Split → paths of its shards inside the dataset, by number; a split without a shard or index is not there."""
    found = {}
    for split in SPLITS:
        shards = sorted(f"{split}/{path.name}" for path in (folder / split).glob("*.tar"))
        shards = [name for name in shards if SHARD.fullmatch(name)]
        if shards or (folder / split / "index.json").exists():
            found[split] = shards
    return found


def leftovers(folder: Path) -> list[str]:
    """Files that grew under a ``.tmp`` name and the build's work folder, which a finished dataset has not; sorted."""
    found = [name for name in _files(folder) if name.endswith(".tmp") and is_ours(name.removesuffix(".tmp"))]
    return found + ([WORK] if (folder / WORK).exists() and (folder / MANIFEST).exists() else [])


def folder_violations(folder: Path) -> Iterator[Violation]:
    """What an interrupted run left, and tars and numbers of shards that are not as the format has them."""
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
            if int(name[-10:-4]) != number:
                yield Violation("shard_numbering", name, "", f"number {number} is not there")
                break


def notes(folder: Path) -> list[str]:
    """What lies in the folder and is no part of the dataset: it is nobody's business, but worth a line."""
    told = {violation.file for violation in folder_violations(folder)}
    strange = [name for name in _files(folder) if not is_ours(name) and name not in told]
    return [f"{name} is no file of the format{_PAUSED if name.startswith(WORK) else ''}" for name in strange]


def _files(folder: Path) -> list[str]:
    """Files at the top, in the splits, beside overlays and marks, and other folders as a whole; sorted."""
    inside = (*SPLITS, OVERLAYS, REVIEWED)
    paths = [path for path in folder.iterdir() if path.name not in (*inside, JOURNAL, WORK)]
    for name in inside:
        if (folder / name).is_dir():
            paths += (folder / name).iterdir()
    return sorted(path.relative_to(folder).as_posix() + ("/" if path.is_dir() else "") for path in paths)
