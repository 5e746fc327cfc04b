"""Drawn people whose labels are exact, for tests of predictions."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from predicted_files import drawn_people


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of them; not to be changed."""
    return drawn_people(tmp_path_factory.mktemp("drawn") / "set")


@pytest.fixture
def dataset(drawn: Path, tmp_path: Path) -> Path:
    """A copy that a test may put overlays on."""
    return Path(shutil.copytree(drawn, tmp_path / "ds"))
