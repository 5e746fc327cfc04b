"""Change many files of a folder at once: after a kill at any moment it is the old dataset or the new one.

New files grow in ``.phq-journal/new``. The commit is one rename: ``journal.json``, which lists every file that takes
its place and every one that is deleted. From then on the change is carried out, by this process or, after a kill, by
the next `recover`, which phq calls whenever it opens a dataset. Before the rename nothing has changed. This is redo
logging (Gray & Reuter 1993, Transaction Processing, ch. 9) with whole files in place of pages. Programs that read the
shards without phq see the files change one by one.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from phq.errors import InputError, OutputError
from phq.system.atomic import output_errors, sync_folder, write_bytes
from phq.system.locking import LOCK, Lock, alone_in, locked

JOURNAL = ".phq-journal"
"""Folder inside the dataset that exists only while a change is under way."""
_NEW = "new"
_RECORD = "journal.json"


class Change:
    """A change that is being collected, until it is committed."""

    def __init__(self, folder: Path, journal: str = JOURNAL) -> None:
        self.folder = folder
        self._journal = folder / journal
        self._new = self._journal / _NEW
        self._deleted: set[str] = set()
        self._whole: set[str] = set()

    def path(self, name: str) -> Path:
        """Path to which the new content of a file of the dataset is to be written; its parent folder is made.

        Args:
            name: path inside the dataset, with forward slashes.

        Raises:
            ValueError: the name leads out of the dataset.
            OutputError: a folder of that name is in the way, the file's folder is on another disk than the dataset's
                (so that no rename leads there), or the disk is full.
        """
        self._check_place(name)
        staged = self._new / name
        with output_errors(staged):
            staged.parent.mkdir(parents=True, exist_ok=True)
        return staged

    def write(self, name: str, content: bytes) -> None:
        """Stage a small file.

        Raises:
            ValueError: see `path`.
            OutputError: see `path`.
        """
        write_bytes(self.path(name), content)

    def whole(self, name: str) -> Path:
        """Path at which a new file, or a new folder that is moved as one, is to be made.

        Args:
            name: at the top of the folder; an empty folder of that name gives way.

        Raises:
            ValueError: see `path`.
        """
        _check_name(name)
        self._whole.add(name)
        return self._new / name

    def delete(self, name: str) -> None:
        """Delete the file at the commit, if it exists and no new one is staged under its name.

        A folder that becomes empty is deleted too.

        Raises:
            ValueError: see `path`.
            OutputError: see `path`.
        """
        self._check_place(name)
        self._deleted.add(name)

    @property
    def new(self) -> Path:
        """Folder in which the new files grow, under their paths inside the dataset."""
        return self._new

    def staged(self) -> list[str]:
        """Names of the new files, sorted."""
        files = (path for path in self._new.rglob("*") if path.is_file())
        return sorted(path.relative_to(self._new).as_posix() for path in files)

    def _check_place(self, name: str) -> None:
        _check_name(name)
        place = self.folder / name
        if place.is_dir():
            raise OutputError(f"{place} is a folder where a file of the dataset belongs")
        there = next(parent for parent in place.parents if parent.exists())
        if there.stat().st_dev != self.folder.stat().st_dev:
            raise OutputError(f"{there} is on another disk than {self.folder}; bring the dataset together on one disk")

    def commit(self) -> None:
        """Flush the new files to the disk, then write the record; from then on the change will be carried out."""
        names = self.staged()
        deleted = sorted(name for name in self._deleted.difference(names) if os.path.lexists(self.folder / name))
        for name in names:
            with (self._new / name).open("rb+") as file:
                os.fsync(file.fileno())
        _sync({self._new, self._journal, self.folder}.union(*(_parents(self._new, name) for name in names)))
        if names or deleted:
            moved = sorted({self._moved_as(name) for name in names})
            write_bytes(self._journal / _RECORD, json.dumps({"move": moved, "delete": deleted}, indent=1).encode())

    def _moved_as(self, name: str) -> str:
        first = PurePosixPath(name).parts[0]
        return first if first in self._whole else name


@contextmanager
def stage(folder: Path, name: str = JOURNAL) -> Iterator[Change]:
    """Collect a change of the dataset in `folder`, which happens at the end of the block, but not after an error.

    An interrupted earlier change is finished first. Datasets opened inside the block do not show the change yet.

    Args:
        folder: the dataset, or any folder.
        name: of the journal in it; changes with journals of different names may happen at the same time.

    Raises:
        OutputError: another process is changing the dataset, or the folder cannot be written.
    """
    journal = folder / name
    recover(folder, name)
    with alone_in(journal, f"another phq process is changing {folder}; wait until it has finished"):
        try:
            shutil.rmtree(journal / _NEW, ignore_errors=True)
            with output_errors(journal / _NEW):
                (journal / _NEW).mkdir()
            change = Change(folder, name)
            yield change
            with output_errors(journal):
                change.commit()
            with _unfinished_errors(folder):
                _carry_out(journal)
        finally:
            _drop(journal)


def recover(folder: Path, name: str = JOURNAL) -> None:
    """Finish what a killed change has left: a committed one is carried out, an uncommitted one is dropped.

    It is idempotent, and where there is nothing to do it costs one look at the disk. A change that another process is
    still collecting is left alone; one that it is carrying out is waited for.

    Args:
        folder: see `stage`.
        name: see `stage`.

    Raises:
        OutputError: a committed change cannot be carried out (permission, read-only disk).
        InputError: the journal is damaged.
    """
    journal = folder / name
    if not journal.is_dir():
        return
    committed = (journal / _RECORD).exists()
    # an uncommitted change does no harm where nothing can be removed
    with _unfinished_errors(folder) if committed else suppress(OSError), locked(journal / LOCK, wait=committed) as lock:
        if lock is Lock.HELD or (lock is Lock.NONE and committed):
            _carry_out(journal)
            _drop(journal)


@contextmanager
def _unfinished_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = f"an interrupted change of {folder} must be finished before it can be read, and cannot be"
        raise OutputError(f"{why}: {error.strerror or error}") from error


def _carry_out(journal: Path) -> None:
    """Carry out the record, passing over steps that were done before, and remove it."""
    record, folder = journal / _RECORD, journal.parent
    if not record.exists():
        return
    moved, deleted = _read_record(record)
    for name in moved:
        _move(journal / _NEW / name, folder / name)
    for name in deleted:
        (folder / name).unlink(missing_ok=True)
    touched = {folder}.union(*(_parents(folder, name) for name in (*moved, *deleted)))
    for parent in sorted(touched - {folder}, reverse=True):
        with suppress(OSError):  # not empty
            parent.rmdir()
    _sync(filter(Path.exists, touched))
    record.unlink()
    sync_folder(record.parent)


def _move(staged: Path, target: Path) -> None:
    if staged.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        if staged.is_dir() and target.is_dir():
            target.rmdir()  # empty; Windows would not replace it
        staged.replace(target)
    elif not target.exists():
        raise InputError(f"the interrupted change in {staged} is damaged: neither it nor {target} is there")


def _read_record(path: Path) -> tuple[list[str], list[str]]:
    try:
        record = json.loads(path.read_bytes())
        moved, deleted = [str(name) for name in record["move"]], [str(name) for name in record["delete"]]
        for name in (*moved, *deleted):
            _check_name(name)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}, the record of an interrupted change, is damaged: {error}") from error
    return moved, deleted


def _check_name(name: str) -> None:
    # a dataset may come from anywhere, its journal with it: nothing outside its folder may be named
    parts = PurePosixPath(name).parts
    if not parts or name != "/".join(parts) or ".." in parts or "\\" in name or ":" in name or parts[0] == JOURNAL:
        raise ValueError(f"{name!r} is not a path of a file in a dataset")


def _parents(root: Path, name: str) -> list[Path]:
    """Folders from that of the file up to `root`."""
    return [root / parent for parent in PurePosixPath(name).parents]


def _sync(folders: Iterable[Path]) -> None:
    for folder in sorted(set(folders)):
        sync_folder(folder)


def _drop(journal: Path) -> None:
    """Remove what is left of a change, unless it is committed; the lock, which the caller holds, is removed last."""
    if not (journal / _RECORD).exists():
        shutil.rmtree(journal / _NEW, ignore_errors=True)
        shutil.rmtree(journal, ignore_errors=True)
