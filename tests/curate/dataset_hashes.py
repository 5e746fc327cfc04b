"""Hashes of a dataset's files, to show that nothing was rewritten."""

from __future__ import annotations

import hashlib
from pathlib import Path


def hashes(folder: Path) -> dict[str, str]:
    """sha256 of every file but the list of the overlays and the overlays themselves."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != "run.json"]
    names = {p.relative_to(folder).as_posix(): p for p in files if p.parent.name != "overlays"}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in names.items()}
