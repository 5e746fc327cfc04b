"""The photos a dataset was built from, found again by what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from phq.errors import InputError, RejectError
from phq.photos.decode import read_file
from phq.photos.discover import discover


def find_photos(source: str | Path, wanted: Mapping[str, str]) -> dict[str, Path]:
    """Files below `source` by the sha256 of their content, whatever they are called.

    Files that are called as they once were are read first, and the search ends when all are found, so that a folder
    with many more photos is rarely read as a whole.

    Args:
        source: folder, list file, picture or glob, see `phq.photos.discover.discover`; read only.
        wanted: recorded name of a photo by its sha256.

    Returns:
        Path by sha256, for those that were found.

    Raises:
        InputError: nothing there at all, or none of the wanted photos.
    """
    names, missing = set(wanted.values()), set(wanted)
    files = sorted(discover(source), key=lambda found: found.name not in names)  # stable: else their own order
    paths: dict[str, Path] = {}
    for found in files:
        if not missing:
            break
        digest = _sha256(found.path)
        if digest in missing:
            paths[digest] = found.path
            missing.remove(digest)
    if wanted and not paths:
        raise InputError(f"{source}: none of its {len(files)} files is one of this dataset's {len(wanted)} photos")
    return paths


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(read_file(path)).hexdigest()
    except RejectError:
        return ""
