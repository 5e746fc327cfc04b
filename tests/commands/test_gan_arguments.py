"""Mistakes in the arguments of ``phq gan …`` are told before torch is imported, which takes seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from curated_datasets import person, write
from typer.testing import CliRunner

from phq.cli import app
from phq.errors import PhqError

TINY = ["--pretrained", "tiny"]


@pytest.fixture
def no_torch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with a taken name, where a command that would import torch fails."""

    def imported(purpose: str) -> Any:
        raise AssertionError(f"{purpose} would import torch")

    monkeypatch.setattr("phq.commands.trained.needs_train", imported)
    monkeypatch.setattr("phq.commands.gan.needs_train", imported)
    monkeypatch.chdir(tmp_path)
    for name in ("taken.mp4", "taken.png", "taken.glb", "taken/file", "photo.jpg"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(b"")
    write(tmp_path / "set", [person(1)], sheet=False)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["orbit"], "name a RUN"),
        (["orbit", "run", *TINY], "name a RUN"),
        (["view", "--pretrained", "big"], "--pretrained big: phq comes with tiny"),
        (["orbit", "run"], "run: there is no such run"),
        (["orbit", *TINY, "--seeds", "x"], "--seeds 'x'"),
        (["orbit", *TINY, "--conditioning", "x"], "--conditioning 'x'"),
        (["orbit", *TINY, "--out", "orbit.avi"], "ends in .mp4"),
        (["morph", *TINY, "--out", "taken.mp4"], "taken.mp4 already exists"),
        (["act", *TINY, "--out", "taken.mp4"], "taken.mp4 already exists"),
        (["sweep", *TINY, "--out", "taken.png"], "taken.png already exists"),
        (["mix", *TINY, "--out", "taken.png"], "taken.png already exists"),
        (["mesh", *TINY, "--out", "taken.glb"], "taken.glb already exists"),
        (["mesh", *TINY, "--out", "head.obj"], "ends in .glb or .ply or .mrc"),
        (["sample", "run", "--out", "new"], "run: there is no such run"),
        (["export", *TINY, "--out", "taken"], "not empty"),
        (["invert", *TINY, "photo.jpg", "--out", "taken"], "not empty"),
        (["invert", *TINY, "absent.jpg", "--out", "new"], "absent.jpg: there is no such photo"),
        (["invert", *TINY, "--data", "absent", "--key", "0", "--out", "new"], "absent is not a folder"),
        (["evaluate", "run", "--data", "set"], "run: there is no such run"),
        (["evaluate", "set", "--data", "absent"], "absent is not a folder"),
        (["import-checkpoint", "absent.pkl", "new"], "absent.pkl: there is no such file"),
        (["train", "set", "--out", "new", "--set", "training.nothing=1"], "unknown setting 'training.nothing'"),
        (["train", "set", "absent", "--out", "new"], "absent is not a folder"),
    ],
)
def test_it_is_told_first(words: list[str], text: str, no_torch: Path) -> None:
    done = CliRunner().invoke(app, ["gan", *words])
    assert isinstance(done.exception, PhqError), done.output
    assert text in str(done.exception)
