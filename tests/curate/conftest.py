"""Drawn people whose labels are exact, for tests of predictions, and a dataset of which samples are redacted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from predicted_files import drawn_people
from redacted_people import make
from tiny_datasets import TinySample


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of them; not to be changed."""
    return drawn_people(tmp_path_factory.mktemp("drawn") / "set")


@pytest.fixture
def dataset(drawn: Path, tmp_path: Path) -> Path:
    """A copy that a test may put overlays on."""
    return Path(shutil.copytree(drawn, tmp_path / "ds"))


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[TinySample]]:
    """The dataset of `redacted_people`; not to be changed."""
    return make(tmp_path_factory.mktemp("original") / "set")


@pytest.fixture
def made(original: tuple[Path, list[TinySample]], tmp_path: Path) -> tuple[Path, list[TinySample]]:
    """A copy to redact samples of, and its samples."""
    shutil.copytree(original[0], tmp_path / "set")
    return tmp_path / "set", original[1]
