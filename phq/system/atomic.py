"""Files that appear whole or not at all, and write errors with advice for the user."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, BinaryIO, cast

from phq.errors import OutputError
from phq.system.place import file_system, is_of_server, is_remote
from phq.system.retrying import retried

_RESUME = "what was finished is kept: make room and run the same command again, it continues from there"
_ADVICE = {
    errno.ENOSPC: f"the disk is full; {_RESUME}",
    errno.EDQUOT: f"your disk quota is used up; {_RESUME}",
    errno.EFBIG: "the file grew larger than this file system or your limits allow",
    errno.EACCES: "you have no permission to write there; choose another output folder",
    errno.EPERM: "you have no permission to write there; choose another output folder",
    errno.EROFS: "that file system is read-only; choose another output folder",
    errno.ENOTDIR: "a part of that path is a file, not a folder",
    errno.EISDIR: "a folder of that name is in the way",
}


_PART = 1 << 24
"""Bytes of an object that are sent in one part."""


def tmp_path(path: Path) -> Path:
    """Name under which `path` is written until it is whole."""
    return path.with_name(path.name + ".tmp")


def _is_about(error: OSError, path: Path) -> bool:
    # The block may also read. The error of a failed read names its file, that of a failed write does not.
    return error.filename is None or Path(error.filename) in (path, tmp_path(path), *path.parents)


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn an OSError about `path` into an `OutputError` with advice; other errors pass.

    Raises:
        OutputError: full disk, no permission, read-only file system and the like.
    """
    try:
        yield
    except OSError as error:
        if not is_remote(path) and not _is_about(error, path):
            raise
        why = _ADVICE.get(error.errno or 0, error.strerror or str(error))
        raise OutputError(f"cannot write {path}: {why}") from error
    except Exception as error:
        if not is_remote(path) or not is_of_server(error):
            raise
        raise OutputError(f"cannot write {path}: {error}; {_RESUME}") from error


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk, without which a rename may be lost."""
    if is_remote(folder) or not hasattr(os, "O_DIRECTORY"):  # Windows cannot open folders; its renames are journalled
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open ``PATH.tmp`` for writing; at the end of the block it is flushed and renamed to `path`.

    If the block or the disk fails, the ``.tmp`` is removed and whatever `path` was before stays as it was.
    Missing parent folders are made. Object stores need no ``.tmp``, since an object appears with its last byte.

    Raises:
        OutputError: see `output_errors`.
    """
    if is_remote(path):
        with output_errors(path), _object(path) as stream:
            yield stream
        return
    tmp = tmp_path(path)
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with tmp.open("wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            tmp.replace(path)
        except BaseException:
            tmp.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


@contextmanager
def _object(path: Path) -> Iterator[BinaryIO]:
    """Collect an object in a temporary file of this machine, then send it as a whole."""
    fs, name = file_system(path)
    with TemporaryFile() as spool:
        yield cast(BinaryIO, spool)
        retried(str(path), lambda: _send(fs, name, spool))


def _send(fs: Any, name: str, spool: IO[bytes]) -> None:
    spool.seek(0)
    target = fs.open(name, "wb", block_size=_PART, autocommit=False)
    try:
        shutil.copyfileobj(spool, target, _PART)
        target.close()
        target.commit()
    except BaseException:
        target.discard()
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole small file atomically.

    Raises:
        OutputError: see `output_errors`.
    """
    with atomic_write(path) as stream:
        stream.write(content)
