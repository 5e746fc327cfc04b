"""One process at a time: an advisory lock on a file that comes and goes with what it guards."""

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
"""Name of the lock's file in a folder that one process works in."""
_UNSUPPORTED = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


class Lock(Enum):
    """What became of a lock."""

    HELD = "held"
    BUSY = "busy"
    """Somebody else has it, or had it and took its folder away."""
    NONE = "none"
    """This system, or this network file system, has no such locks."""


@contextmanager
def locked(path: Path, wait: bool = False) -> Iterator[Lock]:
    """Hold the lock on `path`, which is made if its folder is there, until the end of the block.

    The holder may remove the file; the kernel frees the lock when a process dies.

    Args:
        path: the lock's file. wait: until it is free, instead of `Lock.BUSY` at once.

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
    """Make a folder, and hold the lock in it until the end of the block; at a URL see `phq.system.lease`.

    Raises:
        OutputError: another process has it, in the words of `busy`; or the folder cannot be made or written.
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
    # the holder we waited for may have removed the file, and another may hold its successor
    same = path.exists() and path.stat().st_ino == os.fstat(stream.fileno()).st_ino
    return Lock.HELD if same else Lock.BUSY
