"""Where results go: nothing that is there already is written over."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from phq.errors import OutputError


def check_free(paths: Iterable[Path]) -> None:
    """Raises:
    OutputError: one of these files exists.
    """
    for path in paths:
        if path.exists():
            raise OutputError(f"{path} already exists; choose another name (nothing is ever overwritten)")


def check_suffix(path: Path, *suffixes: str) -> None:
    """Raises:
    OutputError: the name ends otherwise.
    """
    if path.suffix.lower() not in suffixes:
        raise OutputError(f"{path}: choose a name that ends in {' or '.join(suffixes)}")


def check_new_folder(folder: Path) -> None:
    """Raises:
    OutputError: it is a file, or a folder that is not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder} already exists and is not empty; choose another folder")
