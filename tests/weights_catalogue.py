"""A catalogue of small files at a local server, and a cache of its own."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

CONTENT = random.Random(0).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def catalogue_of(file: Path, *entries: dict[str, object]) -> Path:
    """A file like ``remote.json``; what an entry leaves out is blank."""
    blank = {"size": None, "sha256": None, "licence": "L", "source": "somebody", "purpose": "tests", "extra": ""}
    file.write_text(json.dumps([blank | entry for entry in entries]))
    return file
