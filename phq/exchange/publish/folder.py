"""A published copy in a folder on this machine."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from phq.dataset.folder import DATASHEET, MANIFEST, MARKS_LOG, REVIEW_LOCK, SHARD, unfinished
from phq.errors import OutputError
from phq.exchange.publish.content import PublishedFile, may_be_published
from phq.system.atomic import atomic_write, output_errors, write_bytes
from phq.system.bars import bar
from phq.system.sizes import check_room, say_size
from phq.weights.digest import sha256_of

MARKER = ".published-by-phq"
"""File that says that a folder is a published copy, and may be brought up to date."""


@dataclass(frozen=True)
class FolderTarget:
    """A folder, new or with an earlier copy."""

    path: Path

    @property
    def name(self) -> str:
        """By which readers load it."""
        return self.path.name

    def check(self, dataset: Path) -> None:
        """Let a folder pass that is new, empty, or an earlier copy, and does not overlap the dataset.

        Raises:
            OutputError: another folder.
        """
        here, there = dataset.resolve(), self.path.resolve()
        if here == there or here in there.parents or there in here.parents:
            raise OutputError(f"{self.path} and the dataset lie in one another; choose another folder")
        if self.path.exists() and not self.path.is_dir():
            raise OutputError(f"{self.path} is a file; the copy must be a folder")
        if begun := unfinished(self.path):
            raise OutputError(f"{begun}; choose another folder")
        if self.path.is_dir() and any(self.path.iterdir()) and not (self.path / MARKER).is_file():
            raise OutputError(
                f"{self.path} is not empty and holds no copy that phq has published; choose another folder"
            )

    def datasheet(self) -> str:
        """The datasheet of the earlier copy, '' if there is none."""
        path = self.path / DATASHEET
        return path.read_text("utf-8", errors="replace") if path.is_file() else ""

    def missing(self, files: Sequence[PublishedFile]) -> list[PublishedFile]:
        """Files that are not there yet as they should be."""
        return [file for file in files if not self._has(file)]

    def stale(self, files: Sequence[PublishedFile]) -> list[str]:
        """Files of an earlier copy that the dataset does not have any more; sorted."""
        wanted = {file.name for file in files}
        there = (path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if path.is_file())
        return sorted(name for name in there if _is_copy(name) and name not in wanted)

    def _has(self, file: PublishedFile) -> bool:
        path = self.path / file.name
        if not path.is_file() or path.stat().st_size != file.size:
            return False
        return bool(SHARD.fullmatch(file.name)) or sha256_of(path) == file.sha256  # a shard's name has its content

    def put(self, files: Sequence[PublishedFile], stale: Sequence[str], quiet: bool) -> None:
        """Remove the stale files, then write the others, in order.

        The manifest of an earlier copy goes first, so that a copy that was interrupted is not taken for a whole one.

        Raises:
            OutputError: no room, or it cannot be written; what is written stays, and the same call continues.
        """
        size = sum(file.size for file in files)
        say_size(f"writing {len(files)} files to {self.path}", size, quiet)
        check_room(self.path, size)
        write_bytes(self.path / MARKER, b"A copy that phq publish has made; it may be brought up to date.\n")
        if any(file.name == MANIFEST for file in files):
            self._remove(MANIFEST)
        for name in stale:
            self._remove(name)
        with bar(total=size, unit="B", desc="publish", quiet=quiet) as shown:
            for file in files:
                self._write(file)
                shown.update(file.size)

    def _write(self, file: PublishedFile) -> None:
        with atomic_write(self.path / file.name) as stream:
            if file.source is None:
                stream.write(file.content)
                return
            with file.source.open("rb") as source:
                shutil.copyfileobj(source, stream, 1 << 20)

    def _remove(self, name: str) -> None:
        with output_errors(self.path / name):
            (self.path / name).unlink(missing_ok=True)


def _is_copy(name: str) -> bool:
    return may_be_published(name) and name not in (MARKS_LOG, REVIEW_LOCK)  # those are of a review of the copy itself
