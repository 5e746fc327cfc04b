"""Sizes for people, and the room that is left for them."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from phq.errors import OutputError

_UNITS = ("kB", "MB", "GB", "TB")


def size_text(size: float) -> str:
    """Bytes in decimal units: ``812 B``, ``9.4 MB``."""
    if size < 1000:
        return f"{size:.0f} B"
    power = next((p for p in range(1, len(_UNITS)) if size < 999.95 * 1000**p), len(_UNITS))
    return f"{size / 1000**power:.1f} {_UNITS[power - 1]}"


def say_size(doing: str, size: float, quiet: bool) -> None:
    """Say on the standard error how much a call is about to write, send or fetch.

    Args:
        doing: such as ``writing to OUT``.
        size: bytes.
        quiet: say nothing.
    """
    if not quiet:
        print(f"phq: {doing}: {size_text(size)}", file=sys.stderr, flush=True)


def check_room(folder: Path, size: int) -> None:
    """Let pass what fits on the disk of a folder, which may not exist yet.

    Raises:
        OutputError: it does not fit; nothing was written.
    """
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    if size > free:
        raise OutputError(
            f"{folder} needs {size_text(size)}, and its disk has {size_text(free)} left; nothing was written"
        )
