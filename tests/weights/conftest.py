"""A catalogue with two small files at a local server, and a cache of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from unreliable_server import Server, misbehaving
from weights_catalogue import CONTENT, SHA256, catalogue_of

from phq.weights import catalogue, download


@pytest.fixture
def server() -> Iterator[Server]:
    """A server with ``known.bin`` and ``open.bin``."""
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
