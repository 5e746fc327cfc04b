"""The dataset's folder: which files belong to it, which an interrupted run left, and which are somebody's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from phq.curate.verify.kinds import Violation
from phq.dataset.folder import (
    SHARD,
    SPLITS,
    WORK,
    files_of,
    is_ours,
    leftovers,
    shard_names,
)
from phq.system.journal import JOURNAL

_PAUSED = "; the same command continues what was interrupted there"


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
    strange = [name for name in files_of(folder) if not is_ours(name) and name not in told]
    return [f"{name} is no file of the format{_PAUSED if name.startswith(WORK) else ''}" for name in strange]
