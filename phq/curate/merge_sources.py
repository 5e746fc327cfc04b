"""Several datasets opened for a merge: their rows with overlays applied, under names that do not collide."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from phq.curate.migrations import MIGRATIONS
from phq.curate.person_numbers import number_people
from phq.curate.revision import Revision
from phq.dataset.root import Root
from phq.errors import InputError
from phq.schema import Fields
from phq.system.journal import recover

_MUST_AGREE = {
    "schema_version": "are of different versions of the format",
    "camera_convention": "have cameras of different conventions",
    "image_size": "have pictures of different sizes",
}


class Source:
    """One of the datasets.

    Args:
        path: folder or URL.
        overlay: the revision, see `phq.dataset.overlays.names_up_to`.

    Raises:
        InputError: no dataset, or no such revision.
    """

    def __init__(self, path: str | Path, overlay: str | None) -> None:
        self.root = Root(path)
        if self.root.local is not None:
            recover(self.root.local)
        self.name = Path(self.root.where.rstrip("/")).resolve().name or "dataset"
        """Of the folder."""
        self.revision = _revision(self.root, overlay)
        self.kept, self.rejects = self.revision.rows()

    @property
    def rows(self) -> list[Fields]:
        """All rows, kept ones first."""
        return [*self.kept, *self.rejects]


def _revision(root: Root, overlay: str | None) -> Revision:
    try:
        return Revision(root, overlay, MIGRATIONS)
    except InputError as error:  # among several datasets "no overlay" says too little
        raise error if root.where in str(error) else InputError(f"{root.where}: {error}") from error


def open_sources(paths: Sequence[str | Path], overlay: str | None) -> list[Source]:
    """Open datasets that can be merged; photos have distinct paths and their people one numbering.

    Raises:
        InputError: no dataset, no such revision, or datasets that do not fit together, with the reason.
    """
    sources = [Source(path, overlay) for path in paths]
    _distinct_names(sources)
    for column, why in _MUST_AGREE.items():
        _agree(sources, column, why)
    distinct_paths(sources)
    number_people([source.rows for source in sources])
    return sources


def _distinct_names(sources: Sequence[Source]) -> None:
    taken = {row["source_path"].partition("/")[0] for source in sources for row in source.rows}
    for source in sources:
        name, number = source.name, 2
        while source.name in taken:
            source.name, number = f"{name}-{number}", number + 1
        taken.add(source.name)


def _agree(sources: Sequence[Source], column: str, why: str) -> None:
    found: dict[Any, Source] = {}
    for source in sources:
        for row in source.kept:
            found.setdefault(row[column], source)
    if len(found) > 1:
        (one, first), (other, second) = list(found.items())[:2]
        where = " and ".join(dict.fromkeys((first.root.where, second.root.where)))
        raise InputError(f"{where} {why} ({one} and {other}): they cannot be merged")


def distinct_paths(sources: Sequence[Source]) -> None:
    """Put the dataset's name before each path that is of different photos in different datasets; in place.

    Texts that name the path follow.
    """
    meant: dict[str, set[str]] = defaultdict(set)
    for source in sources:
        for row in source.rows:
            meant[row["source_path"]].add(row.get("source_sha256", ""))
    shared = {path for path, hashes in meant.items() if len(hashes - {""}) > 1}
    for source in sources:
        for row in source.rows:
            row.update(_under(source.name, row, shared))


def _under(name: str, row: Mapping[str, Any], shared: set[str]) -> dict[str, str]:
    text, of, path = row.get("detail", "").partition(" of ")
    changed = {"detail": f"{text}{of}{name}/{path}"} if path in shared else {}
    return changed | ({"source_path": f"{name}/{row['source_path']}"} if row["source_path"] in shared else {})
