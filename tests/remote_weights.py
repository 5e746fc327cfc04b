"""A catalogue of small files at a local server, and a cache of its own."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from weights_server import Server, misbehaving

from phq.weights import catalogue, download

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


@pytest.fixture
def server() -> Iterator[Server]:
    with misbehaving() as server:
        yield server


@pytest.fixture
def cache(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the files ``known`` and ``other`` once they are pulled; nothing of the environment counts."""
    for variable in ("PHQ_OFFLINE", "PHQ_MIRROR", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PHQ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "PAUSE", 0.001)
    monkeypatch.setattr(catalogue, "FILE", tmp_path / "remote.json")
    serve(server, catalogue.FILE, known=CONTENT, other=CONTENT)
    return tmp_path / "cache" / "weights"
