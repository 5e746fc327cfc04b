"""The command lines of docs/generator.md under "Use" run, in their order, with a small run, dataset and lengths."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from generator_runs import app, write_run
from published_pickles import write_pickle
from typer.testing import CliRunner

from phq.dataset.reader import Dataset

PAGE = Path(__file__).parents[2] / "docs" / "generator.md"
SHORT = {
    "orbit": ["--frames", "2"],
    "morph": ["--frames", "1"],
    "invert": ["--steps", "2"],
    "mix": ["--layers", "1-2"],
}
"""Options that are added, so that a command takes a moment."""


def command_lines() -> list[list[str]]:
    """The words after ``phq gan`` of each line."""
    block = re.search(r"## Use\n\n```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    return [shlex.split(line, comments=True)[2:] for line in block[1].splitlines()]


def test_the_commands_of_the_page_run(portraits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    write_run(Path("RUN"))
    write_pickle(Path("network-snapshot-010000.pkl"), "EG3D")
    places = {"DATASET": str(portraits), "KEY": Dataset(portraits).keys[0]}
    for command, *stated in command_lines():
        words = [places.get(word, word) for word in stated]
        if command == "import-checkpoint":
            words[1] = "IMPORTED"  # RUN is taken
        done = CliRunner().invoke(app, [command, *words, *SHORT.get(command, [])])
        assert done.exit_code == 0, (command, done.output, done.exception)
    written = {path.name for path in tmp_path.iterdir()}
    assert written >= {
        "PICTURES",
        "FOUND",
        "found.mp4",
        "morph.mp4",
        "act.mp4",
        "sweep.png",
        "mix.png",
        "FOLDER",
        "IMPORTED",
    }
