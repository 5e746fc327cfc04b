"""The memory that a process and its workers hold, for progress bars."""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")


def used_memory() -> int:
    """Bytes in memory of this process and of all that it started; what they share counts for each. 0 where the system
    has no ``/proc`` that tells."""
    return sum(_resident(process) for process in (str(os.getpid()), *_children(str(os.getpid()))))


def _children(process: str) -> list[str]:
    found: list[str] = []
    try:
        for task in (_PROC / process / "task").iterdir():
            for child in (task / "children").read_text().split():
                found += [child, *_children(child)]
    except OSError:  # it has ended meanwhile, or there is no such folder
        pass
    return found


def _resident(process: str) -> int:
    try:
        return int((_PROC / process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0
