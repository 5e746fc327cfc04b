"""A catalogue with two small files at a local server, and a cache of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from unreliable_server import Server, misbehaving
from weights_catalogue import CONTENT, serve

from phq.weights import catalogue, download


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of this machine; `cache` gives it files."""
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
