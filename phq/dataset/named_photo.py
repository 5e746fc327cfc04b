"""The rows of a photo that a user names: by its recorded path, or by a file with the same bytes."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from phq.weights.digest import sha256_of


def at_path(paths: pa.ChunkedArray, photo: str, *, ends: bool = False) -> pa.ChunkedArray:
    """(rows,) whether a row is of the photo with this recorded path.

    Args:
        paths: ``source_path`` of the rows.
        photo: the path.
        ends: take the end of a path too, from a name on. Not where something is removed: several photos may have it.
    """
    found = pc.equal(paths, photo)
    if ends and photo:
        found = pc.or_(found, pc.ends_with(paths, f"/{photo}"))
    return pc.fill_null(found, False)


def digest_of_file(photo: str) -> str | None:
    """sha256 of the file of this name; None if there is none that can be read."""
    try:
        return sha256_of(Path(photo)) if photo else None
    except (OSError, ValueError):  # too long for a name, or with a zero byte
        return None
