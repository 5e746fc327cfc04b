"""One process at a time: an advisory lock on a file that comes and goes with what it guards."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

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
