"""File operations of a process, counted below one folder, of which one can end the process or fail.

Operations are those that Python audits (files opened, renamed, removed, linked, cut, folders made, listed and removed),
every write of an open file, and every fsync. Numbers count from 0, in the order in which they happen. `count_changes`
and `kill_at` leave out reads, writes and fsyncs, since to be killed between two writes is much as before both.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_AUDITED = {
    "os.rename": "rename", "os.remove": "remove", "os.mkdir": "mkdir", "os.rmdir": "rmdir", "os.link": "link",
    "os.symlink": "symlink", "os.truncate": "truncate", "os.listdir": "list", "os.scandir": "list",
}  # fmt: skip
_HANDLES = {"os.rename": 2, "os.remove": 1, "os.mkdir": 2, "os.rmdir": 1}
"""Which argument is the open folder that the path begins in, or −1."""
READS = ("read", "list")
"""Operations that change nothing."""
NEEDS_ROOM = ("open", "write", "mkdir", "fsync", "rename", "link", "symlink")
"""Operations that fail on a full disk."""
NAMES = frozenset({"open", "rename", "remove", "mkdir", "rmdir", "link", "symlink", "truncate"})
"""Operations that change which files there are, or empty one."""


class KilledError(BaseException):
    """What a test sees in place of the end of the process."""


@dataclass
class Faults:
    """One fault that is to happen, and the operations that came before it.

    Args:
        folder: only operations on paths below it count.
        kind: ``kill`` (SIGKILL), ``kill all`` (the same for the process group), ``raise`` (`KilledError`, from then on
            at every change), ``eio`` (fails once), ``enospc`` (fails from then on, where room is needed) or ``none``.
        number: of the operation before which it happens.
        only: operations that are counted; all if empty.
        before: is called before each operation that is counted, with its number, its name and the path below the
            folder; what it does to files is not counted.
    """

    folder: str
    kind: str = "none"
    number: int = -1
    only: frozenset[str] = frozenset()
    before: Callable[[int, str, str], object] | None = None
    seen: list[tuple[str, str]] = field(default_factory=list)
    """Operation and path below the folder, in order."""

    def met(self, operation: str, path: Any) -> None:
        """Count an operation, and let the fault happen if it is its turn."""
        if self.only and operation not in self.only:
            return
        name = _text(path)
        if not name.startswith(self.folder):
            return
        number = len(self.seen)
        self.seen.append((operation, name[len(self.folder) :].lstrip("/")))
        if self.before is not None:
            with _unwatched():
                self.before(number, *self.seen[-1])
        if number >= self.number and self.kind != "none":
            self._fail(number, operation, name)

    def _fail(self, number: int, operation: str, name: str) -> None:
        if self.kind == "kill" and number == self.number:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.kind == "kill all" and number == self.number:
            os.killpg(0, signal.SIGKILL)
        if self.kind == "raise" and operation not in READS:
            raise KilledError(f"{operation} {name}")
        if self.kind == "eio" and number == self.number:
            raise _failure(errno.EIO, operation, name)
        if self.kind == "enospc" and operation in NEEDS_ROOM:
            raise _failure(errno.ENOSPC, operation, name)


def _failure(number: int, operation: str, name: str) -> OSError:
    # as the system calls do: those on an open file know no name
    named = () if operation in ("write", "fsync", "truncate") else (name,)
    return OSError(number, os.strerror(number), *named)


def _text(path: Any) -> str:
    if isinstance(path, int):
        try:
            return str(Path(f"/proc/self/fd/{path}").readlink())
        except OSError:
            return ""
    try:
        return os.fsdecode(path)
    except TypeError:
        return ""


def _below(path: Any, index: int | None, args: tuple[Any, ...]) -> Any:
    handle = args[index] if index is not None else -1
    return path if handle == -1 else f"{_text(handle)}/{os.fsdecode(path)}"


class _Hooks:
    active: Faults | None = None
    installed = False
    fsync, write, open = os.fsync, os.write, io.open


def _audit(event: str, args: tuple[Any, ...]) -> None:
    faults = _Hooks.active
    if faults is None:
        return
    if event == "open":
        changing = isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        faults.met("open" if changing else "read", args[0])
    elif event in _AUDITED:
        faults.met(_AUDITED[event], _below(args[0], _HANDLES.get(event), args))


def _fsync(handle: Any) -> None:
    """Count it; nothing is flushed, since no test cuts the power."""
    if _Hooks.active is None:
        _Hooks.fsync(handle)
    else:
        _Hooks.active.met("fsync", handle if isinstance(handle, int) else handle.fileno())


def _write(handle: int, content: Any) -> int:
    if _Hooks.active is not None:
        _Hooks.active.met("write", handle)
    return _Hooks.write(handle, content)


class _Counted(io.FileIO):
    def write(self, content: Any) -> int:
        if _Hooks.active is not None:
            _Hooks.active.met("write", self.name)
        return super().write(content)


def _open(file: Any, mode: str = "r", buffering: int = -1, *rest: Any, **more: Any) -> Any:
    """`open` whose writes are counted."""
    plain = not isinstance(file, int) and set(mode) & set("wax+")
    if _Hooks.active is None or not plain or more.get("opener") or len(rest) > 3:
        return _Hooks.open(file, mode, buffering, *rest, **more)
    raw = _Counted(file, mode.replace("b", "").replace("t", ""))
    if buffering == 0:
        return raw
    stream = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
    return stream if "b" in mode else io.TextIOWrapper(stream, *rest, **more)


@contextmanager
def _unwatched() -> Iterator[None]:
    active, _Hooks.active = _Hooks.active, None
    try:
        yield
    finally:
        _Hooks.active = active


@contextmanager
def faults(folder: Path, kind: str = "none", number: int = -1, **more: Any) -> Iterator[Faults]:
    """Count the operations of the block below `folder`, with one fault; see `Faults`."""
    if not _Hooks.installed:
        sys.addaudithook(_audit)
        _Hooks.installed = True
    os.fsync, os.write, io.open, builtins.open = _fsync, _write, _open, _open
    _Hooks.active = plan = Faults(str(folder), kind, number, **more)
    try:
        yield plan
    finally:
        _Hooks.active = None
        os.fsync, os.write, io.open, builtins.open = _Hooks.fsync, _Hooks.write, _Hooks.open, _Hooks.open


def kill_at(number: int, folder: Path, work: Callable[[], object]) -> bool:
    """Run `work` and let it die, inside the test, before its change number `number` (from 0) of the files in `folder`.

    From there on every change fails, as a dead process makes none.

    Returns:
        Whether it finished before that.
    """
    with faults(folder, "raise", number, only=NAMES) as plan:
        try:
            work()
        except KilledError:
            return False
    return len(plan.seen) <= number


def count_changes(folder: Path, work: Callable[[], object]) -> int:
    """Changes of the files in `folder` that `work` makes, as `kill_at` numbers them."""
    with faults(folder, only=NAMES) as plan:
        work()
    return len(plan.seen)
