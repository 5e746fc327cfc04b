"""Checksums of files that do not fit into memory at once."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

BLOCK = 1 << 20


def sha256_of(path: Path) -> str:
    """sha256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def sha256_once(path: Path) -> str:
    """`sha256_of`, computed once a process as long as the file's size and time stay."""
    stat = path.stat()
    return _remembered(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=256)
def _remembered(path: Path, _size: int, _time: int) -> str:
    return sha256_of(path)
