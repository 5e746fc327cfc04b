"""Datasets that several test files look at: each is built once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings
from photographs import FOLDER

from phq.building.build import BuildResult, build

settings.register_profile("phq", deadline=None, derandomize=True)
settings.load_profile("phq")


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
