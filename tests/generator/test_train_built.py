"""A dataset as `phq build` makes it, mixed with another, without any conversion."""

from __future__ import annotations

from pathlib import Path

import pytest
from training_dataset import SETS, read_log, write_portraits

from phq.building.build import BuildResult
from phq.errors import InputError
from phq.generator.train.run import train


def test_built_from_photos_and_made_up_together(everything: BuildResult, tmp_path: Path):
    portraits = write_portraits(tmp_path / "portraits", 10)
    shares = "training.shares=[0.5, 0.5]"
    done = train([everything.out, portraits], tmp_path / "run", sets=[*SETS, shares, "training.split=''"], kimg=0.008)
    assert done.finished
    assert len(read_log(tmp_path / "run")) == 2


def test_pictures_that_are_too_small(everything: BuildResult, tmp_path: Path):
    with pytest.raises(InputError, match="pictures of 256 pixels and the model makes 512: build it with --size 512"):
        train([everything.out], tmp_path / "run", preset="paper-512")
