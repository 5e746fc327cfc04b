"""A process that dies before its n-th change of the disk, played inside the test: from there on every one fails."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"}


class Killed(BaseException):
    """What a dead process does instead of changing the disk."""


class _Countdown:
    folder = ""
    left: int | None = None
    seen = 0
    """What was left of the last count."""
    hooked = False


def changes_disk(event: str, args: tuple[Any, ...], folder: str) -> bool:
    """Whether an event that Python audits is a change of the files in `folder`."""
    if event == "open":
        flags = args[2]
        return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)) and str(args[0]).startswith(folder)
    return event in _CHANGES


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if _Countdown.left is None or not changes_disk(event, args, _Countdown.folder):
        return
    _Countdown.left -= 1
    if _Countdown.left < 0:
        raise Killed(event)


def kill_at(number: int, folder: Path, work: Callable[[], object]) -> bool:
    """Run `work` and let it die before its change number `number` (from 0) of the files in `folder`.

    Changes are the operations Python audits: files opened for writing, renamed and removed, folders made and removed.

    Returns:
        Whether it finished before that.
    """
    if not _Countdown.hooked:
        sys.addaudithook(_hook)
        _Countdown.hooked = True
    _Countdown.folder, _Countdown.left = str(folder), number
    try:
        work()
    except Killed:
        return False
    finally:
        _Countdown.seen, dead = _Countdown.left, _Countdown.left < 0
        _Countdown.left = None
    return not dead


def count_changes(folder: Path, work: Callable[[], object]) -> int:
    """Changes of the files in `folder` that `work` makes, as `kill_at` numbers them."""
    most = 1 << 30
    assert kill_at(most, folder, work)
    return most - _Countdown.seen
