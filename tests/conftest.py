"""Datasets that several test files look at: each is built once."""

from __future__ import annotations

import os
import pickle
import signal

from phq.system.threads import ONE_THREAD

# Before numpy is imported, and inherited by every process that a test starts.
os.environ.update(ONE_THREAD)

from collections.abc import Callable
from pathlib import Path

import pytest
from bundled_photos import FOLDER, copied
from filelock import FileLock
from hypothesis import settings

from phq.building.build import BuildResult, build

# No test cuts the power, and a flush takes a hundred times as long as the write; tests about flushes have their own.
os.fsync = lambda _: None

# A shell's background jobs ignore Ctrl-C, and so would every process that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("phq", deadline=None, derandomize=True)
settings.load_profile("phq")

SLOW_FIXTURES = {"browser", "cluster"}
"""What takes seconds to start: tests that use one are marked `slow`."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use a slow fixture; others say so themselves."""
    for item in items:
        if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


Once = Callable[[str, Callable[[Path], object]], Path]
"""Makes the folder of this name by calling the function with it, unless another worker of pytest did."""


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Folders that all workers of one run share: nobody changes them."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    shared.mkdir(exist_ok=True)

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder, done = shared / name, shared / f"{name}.done"
        with FileLock(shared / f"{name}.lock"):
            if not done.exists():
                folder.mkdir(exist_ok=True)
                make(folder)
                done.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def everything(once: Once) -> BuildResult:
    """All bundled photographs, nobody rejected, by two workers."""

    def made(folder: Path) -> None:
        result = build(FOLDER, folder / "dataset", preset="everything", size=256, workers=2)
        (folder / "result").write_bytes(pickle.dumps(result))

    result: BuildResult = pickle.loads((once("everything", made) / "result").read_bytes())
    return result


@pytest.fixture(scope="session")
def four_people(once: Once) -> Path:
    """A dataset of four people in three photographs: a front cut by the photo, a back, two sides seen whole."""

    def made(folder: Path) -> None:
        photos = copied(("astronaut", "cam3_f000", "f130"), folder / "photos")
        build(photos, folder / "dataset", preset="everything", size=128, workers=1)

    return once("four_people", made) / "dataset"


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four of the photographs, one of them twice, in two levels: two units of work."""
    folder = copied(("astronaut", "camera", "obama2", "cam3_f000"), tmp_path_factory.mktemp("few"))
    copied(["astronaut"], folder / "deeper")
    return folder
