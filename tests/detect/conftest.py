"""Tiny networks in the cache, as ``phq weights pull`` leaves the real ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_networks import pull_all, use_cache


@pytest.fixture(scope="session")
def tiny_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``remote.json`` and a cache with all tiny networks pulled into it."""
    return pull_all(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def pulled(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny networks are in the cache."""
    use_cache(tiny_cache, monkeypatch)
