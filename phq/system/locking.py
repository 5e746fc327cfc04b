"""Advisory locks on files, so that one process at a time works in a folder."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from enum import Enum
from pathlib import Path
from typing import IO

from phq.errors import OutputError
from phq.system.atomic import output_errors
from phq.system.lease import leased
from phq.system.place import is_remote

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK = "lock"
"""Name of the lock file in a folder."""
_UNSUPPORTED = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


class Lock(Enum):
    """Outcome of an attempt to take a lock."""

    HELD = "held"
    BUSY = "busy"
    """Another process holds it, or held it and removed its folder."""
    NONE = "none"
    """This system, or this network file system, has no advisory locks."""


@contextmanager
def locked(path: Path, wait: bool = False) -> Iterator[Lock]:
    """Hold the lock on `path` until the end of the block; the file is made if its folder exists.

    The holder may remove the file; the kernel frees the lock when a process dies.

    Args:
        path: the lock file.
        wait: wait until it is free; if false, the outcome is `Lock.BUSY` at once.

    Raises:
        OSError: the file cannot be made (permission, a read-only disk).
    """
    if not fcntl:
        yield Lock.NONE
        return
    try:
        stream = path.open("ab")
    except FileNotFoundError:
        yield Lock.BUSY
        return
    with stream:
        yield _take(stream, path, wait)


@contextmanager
def alone_in(folder: Path, busy: str) -> Iterator[None]:
    """Make a folder and hold the lock in it until the end of the block; for URLs see `phq.system.lease`.

    Args:
        folder: the folder.
        busy: message of the error if another process holds the lock.

    Raises:
        OutputError: another process holds the lock, or the folder cannot be made or written.
    """
    with ExitStack() as stack:
        if is_remote(folder):
            stack.enter_context(leased(folder / LOCK, busy))
            yield
            return
        with output_errors(folder / LOCK):
            folder.mkdir(exist_ok=True)
            lock = stack.enter_context(locked(folder / LOCK))
        if lock is Lock.BUSY:
            raise OutputError(busy)
        yield


def _take(stream: IO[bytes], path: Path, wait: bool) -> Lock:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return Lock.BUSY
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        return Lock.NONE
    # the earlier holder may have removed the file, and another process may hold a new one of that name
    same = path.exists() and path.stat().st_ino == os.fstat(stream.fileno()).st_ino
    return Lock.HELD if same else Lock.BUSY
