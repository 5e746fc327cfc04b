"""Datasets that several test files look at: each is built once."""

from __future__ import annotations

import os

from phq.system.threads import ONE_THREAD

# Before numpy is imported, and inherited by every process that a test starts.
os.environ.update(ONE_THREAD)

from pathlib import Path

import pytest
from bundled_photos import FOLDER
from hypothesis import settings

from phq.building.build import BuildResult, build

settings.register_profile("phq", deadline=None, derandomize=True)
settings.load_profile("phq")

SLOW_FIXTURES = {"browser", "cluster"}
"""What takes seconds to start: tests that use one are marked `slow`."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use a slow fixture; others say so themselves."""
    for item in items:
        if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """All bundled photographs, nobody rejected, by two workers."""
    return build(FOLDER, tmp_path_factory.mktemp("everything"), preset="everything", size=256, workers=2)


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with six of the photographs, one of them twice, in two levels."""
    folder = tmp_path_factory.mktemp("few")
    (folder / "deeper").mkdir()
    names = ("astronaut", "camera", "obama2", "cam4_f000", "cam3_f000", "f130")
    for name in names:
        (source,) = FOLDER.glob(f"*{name}.*")
        (folder / source.name).write_bytes(source.read_bytes())
    (folder / "deeper" / "copy.png").write_bytes(next(FOLDER.glob("*astronaut*")).read_bytes())
    return folder
