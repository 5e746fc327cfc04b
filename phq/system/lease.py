"""Locks on object stores, which have no advisory locks: an object that its owner keeps rewriting.

The object is made by a conditional put, which fails if it exists. Its owner writes a higher number into it every
`BEAT_S`. A process that finds the object waits `PATIENCE` beats: if the number has not changed, the owner is dead and
the lock is taken over. Clocks of two machines are never compared. The lock is advisory: an owner that was suspended for
longer may share it with another for one beat; both write the same content.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from phq.errors import OutputError
from phq.system.atomic import output_errors
from phq.system.place import file_system
from phq.system.retrying import retried

BEAT_S = 10.0
PATIENCE = 3


class Lease:
    """One owner's claim on a lock object."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fs, self._name = file_system(path)
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex}"
        self._beats = 0
        self._over = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)

    def take(self) -> bool:
        """Take the lock, if need be from a dead owner; return whether that succeeded."""
        if not self._create():
            before = self._read()
            time.sleep(BEAT_S * PATIENCE)
            if self._read() not in (before, None):
                return False
            self._write()
            time.sleep(BEAT_S / 10)
            if not self._is_mine():  # another process took it over at the same time
                return False
        self._heart.start()
        return True

    def release(self) -> None:
        """Stop the heartbeat, and remove the object if this process still owns it."""
        self._over.set()
        self._heart.join()
        if self._is_mine():
            self._fs.rm_file(self._name)

    def _create(self) -> bool:
        try:
            self._fs.pipe_file(self._name, self._content(), mode="create")
        except FileExistsError:
            return False
        return True

    def _beat(self) -> None:
        while not self._over.wait(BEAT_S):
            with suppress(Exception):  # of the server: the next beat is soon, and other processes wait for several
                if not self._is_mine():
                    return
                self._beats += 1
                self._write()

    def _content(self) -> bytes:
        return json.dumps({"owner": self._owner, "beats": self._beats}).encode()

    def _write(self) -> None:
        self._fs.pipe_file(self._name, self._content())

    def _read(self) -> bytes | None:
        try:
            return retried(self._name, lambda: bytes(self._fs.cat_file(self._name)))
        except FileNotFoundError:
            return None

    def _is_mine(self) -> bool:
        return self._owner.encode() in (self._read() or b"")


@contextmanager
def leased(path: Path, busy: str) -> Iterator[None]:
    """Hold the lock object until the end of the block.

    Args:
        path: remote path of the object.
        busy: message of the error if another process holds the lock.

    Raises:
        OutputError: another process holds the lock, or the store cannot be written.
    """
    lease = Lease(path)
    with output_errors(path):
        if not lease.take():
            raise OutputError(busy)
    try:
        yield
    finally:
        with output_errors(path):
            lease.release()
