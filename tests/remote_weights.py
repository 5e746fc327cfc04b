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


def catalogue_of(file: Path, *entries: dict[str, object]) -> Path:
    """A file like ``remote.json``; what an entry leaves out is blank."""
    blank = {"size": None, "sha256": None, "licence": "L", "source": "somebody", "purpose": "tests", "extra": ""}
    file.write_text(json.dumps([blank | entry for entry in entries]))
    return file


@pytest.fixture
def server() -> Iterator[Server]:
    with misbehaving() as server:
        server.files = {"known.bin": CONTENT, "open.bin": CONTENT}
        yield server


@pytest.fixture
def cache(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the files; ``known`` has a checksum, ``open`` has none; nothing of the environment counts."""
    for variable in ("PHQ_OFFLINE", "PHQ_MIRROR", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PHQ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "PAUSE", 0.001)
    known = {"name": "known", "file": "known.bin", "url": f"{server.url}/a/known.bin", "size": len(CONTENT)}
    opened = {"name": "open", "file": "open.bin", "url": f"{server.url}/a/open.bin"}
    monkeypatch.setattr(catalogue, "FILE", catalogue_of(tmp_path / "remote.json", known | {"sha256": SHA256}, opened))
    return tmp_path / "cache" / "weights"
