"""Files that appear whole or not at all, and write errors with advice for the user."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from inspect import signature
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, BinaryIO, ParamSpec, TypeVar, cast

from phq.errors import OutputError
from phq.system.place import file_system, is_of_server, is_remote
from phq.system.retrying import retried

_AGAIN = "run the same command again: it continues from what is finished, or starts again"
_ADVICE = {
    errno.ENOSPC: f"the disk is full; make room and {_AGAIN}",
    errno.EDQUOT: f"your disk quota is used up; make room and {_AGAIN}",
    errno.EFBIG: "the file grew larger than this file system or your limits allow",
    errno.EACCES: "you have no permission to write there; choose another output folder",
    errno.EPERM: "you have no permission to write there; choose another output folder",
    errno.EROFS: "that file system is read-only; choose another output folder",
    errno.ENOTDIR: "a part of that path is a file, not a folder",
    errno.EISDIR: "a folder of that name is in the way",
    errno.EIO: f"the disk reports an input/output error; check it and {_AGAIN}",
    errno.EMFILE: "this process may open no more files; raise its limit (ulimit -n)",
    errno.ENFILE: "this machine can open no more files",
    errno.ESTALE: f"the network file system has lost the file; {_AGAIN}",
}
_OF_DISKS = frozenset(_ADVICE) - {errno.ENOTDIR, errno.EISDIR}
"""Errors that no command has caused, wherever they occur."""
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

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
        raise OutputError(f"cannot write {path}: {error}; {_AGAIN}") from error


def disk_failure(error: OSError, where: object = "") -> OutputError | None:
    """The sentence for an error of a disk that nothing nearer to it has explained; None for any other error.

    Args:
        error: as the system raised it; that of a write does not name its file.
        where: named where the error names no file.
    """
    if error.errno not in _OF_DISKS:
        return None
    return OutputError(f"cannot read or write {error.filename or where or 'a file'}: {_ADVICE[error.errno]}")


def raise_disk_failure(error: BaseException) -> None:
    """Raise the sentence for an error of a disk, or one that came of it; anything else is about the file, and passes.

    For readers of files that hold many photos: a disk that fails while such a file is listed must not make a dataset
    without its photos.

    Raises:
        OutputError: it is an error of a disk, see `disk_failure`.
    """
    first: BaseException | None = error
    while first is not None:  # `zipfile` turns it into an error of its own
        if isinstance(first, OSError) and (failure := disk_failure(first)):
            raise failure from error
        first = first.__context__


def disk_errors_explained(command: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Let a call end with an `OutputError` where the error of a disk would leave it as an `OSError`.

    Args:
        command: its argument ``out``, or else its first path, is named where the error names no file.
    """

    @wraps(command)
    def explained(*args: Arguments.args, **options: Arguments.kwargs) -> Result:
        try:
            return command(*args, **options)
        except OSError as error:
            failure = disk_failure(error, _where(signature(command).bind(*args, **options).arguments))
            if failure is None:
                raise
            raise failure from error

    return explained


def _where(arguments: Mapping[str, Any]) -> object:
    paths = (value for value in arguments.values() if isinstance(value, (str, os.PathLike)))
    return arguments.get("out") or next(paths, "")


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
