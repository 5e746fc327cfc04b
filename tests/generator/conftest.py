"""Portraits, a run on them, and a generator that has learned nothing: each is made once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # torch may be missing: the tests here are skipped then
    from phq.generator.use.opening import Trained


@pytest.fixture(scope="session")
def portraits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of ten portraits."""
    from training_dataset import write_portraits

    return write_portraits(tmp_path_factory.mktemp("train") / "portraits", 10)


@pytest.fixture(scope="session")
def whole_run(portraits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of six steps of four pictures that nothing disturbed."""
    from training_dataset import SETS

    from phq.generator.train.run import train

    out = tmp_path_factory.mktemp("whole") / "run"
    done = train([portraits], out, sets=SETS)
    assert (done.images, done.finished) == (24, True)
    return out


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A generator as a run begins with it."""
    from generator_runs import opened

    return opened(tmp_path_factory.mktemp("untrained"))
