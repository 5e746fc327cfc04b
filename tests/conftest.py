"""Datasets that several test files look at: each is built once."""

from __future__ import annotations

import os

from phq.system.threads import ONE_THREAD

# Before numpy is imported, and inherited by every process that a test starts.
os.environ.update(ONE_THREAD)

from pathlib import Path

import pytest
from bundled_photos import FOLDER, copied
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
def four_people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of four people in three photographs: a front cut by the photo, a back, two sides seen whole."""
    photos = copied(("astronaut", "cam3_f000", "f130"), tmp_path_factory.mktemp("three"))
    out = tmp_path_factory.mktemp("four_people") / "dataset"
    return build(photos, out, preset="everything", size=128, workers=1).out


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four of the photographs, one of them twice, in two levels: two units of work."""
    folder = copied(("astronaut", "camera", "obama2", "cam3_f000"), tmp_path_factory.mktemp("few"))
    copied(["astronaut"], folder / "deeper")
    return folder
