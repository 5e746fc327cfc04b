"""A catalogue of small files at a local server, and a cache of its own."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

from unreliable_server import Server

from phq.weights import catalogue

CONTENT = random.Random(0).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def entry_of(name: str, url: str, content: bytes) -> dict[str, object]:
    """An entry of ``remote.json`` for these bytes at a URL."""
    sha256 = hashlib.sha256(content).hexdigest()
    facts = {"licence": "L", "source": "somebody", "purpose": "tests", "extra": ""}
    return {"name": name, "file": Path(url).name, "url": url, "size": len(content), "sha256": sha256} | facts


def catalogue_of(file: Path, *entries: dict[str, object]) -> Path:
    """A file like ``remote.json``."""
    file.write_text(json.dumps(entries))
    return file


def serve(server: Server, file: Path, **contents: bytes) -> None:
    """Let a server have NAME.bin with these bytes, and a file like ``remote.json`` list them."""
    server.files |= {f"{name}.bin": content for name, content in contents.items()}
    catalogue_of(file, *(entry_of(name, f"{server.url}/a/{name}.bin", content) for name, content in contents.items()))
    catalogue._read.cache_clear()
