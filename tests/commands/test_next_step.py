"""Every command ends with the next useful one, and that is a command line which the program understands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from curated_datasets import overlay, person, write
from test_docs_commands import parsed
from typer.testing import CliRunner

from phq.cli import COMMANDS, app
from phq.commands.annotate import _base
from phq.commands.next_step import FOUND, NEXT, next_step
from phq.curate.verify.kinds import KINDS

AGAIN = {
    "decide": "decide 'a set'", "calibrate": "calibrate 'a set'", "publish": "publish 'a set' --to copy",
}  # fmt: skip
"""Command lines, without the program, of commands that are repeated with one more option."""
VARIED = {
    "review": [{"stats": True}, {"stats": False}],
    "build": [{"kept": 2}, {"kept": 0}],
    "annotate": [{"sidecar": None, "base": "none"}, {"sidecar": None, "base": "an overlay"}, {"sidecar": "a file"}],
    "decide": [{"apply": False}, {"apply": True}, {"apply": False, "unchanged": True}],
    "calibrate": [{"out": None}, {"out": "a file"}],
    "publish": [{"apply": False}, {"apply": True, "to": "hf:me/set"}, {"apply": True, "to": "a copy"}],
    "verify": [{"repair": False}, {"repair": True}],
}
"""Options on which the next command depends."""


def options_of(name: str) -> dict[str, Any]:
    command: Any = typer.main.get_command(app)
    for word in name.split():
        command = command.commands[word]
    return {option.name: ["a set", "b"] if option.nargs == -1 else "a set" for option in command.params}


def cases() -> Iterator[tuple[str, dict[str, Any], bool]]:
    for name in NEXT:
        for varied in VARIED.get(name, [{}]):
            yield name, varied, False
    yield from ((name, {}, True) for name in FOUND if name != "verify")
    mending = {kind.command for kind in KINDS if kind.command} | {"verify --repair"}
    yield from (("verify", {"remedy": command}, True) for command in sorted(mending))


def test_every_command_has_a_next_one() -> None:
    assert set(NEXT) == {name for commands in COMMANDS.values() for name in commands}


@pytest.mark.parametrize(("name", "varied", "found"), list(cases()))
def test_it_is_understood(name: str, varied: dict[str, Any], found: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    import shlex

    monkeypatch.setattr("sys.argv", ["phq", *shlex.split(AGAIN.get(name, name))])
    line = next_step(name, {**options_of(name), **varied}, found)
    assert any(parsed(line) in commands for commands in COMMANDS.values())
    assert line != f"phq {name}"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("next") / "a set", [person(number) for number in range(3)])


def test_a_decision_that_changes_nothing_leads_to_the_scores(dataset: Path) -> None:
    done = CliRunner().invoke(app, ["decide", str(dataset)])
    assert "nobody enters or leaves" in done.stdout
    assert done.stderr.splitlines()[-1] == f"next: phq report '{dataset}'"
    applied = CliRunner().invoke(app, ["decide", str(dataset), "--apply"])
    assert "no overlay is written" in applied.stdout
    assert applied.stderr.splitlines()[-1] == f"next: phq report '{dataset}'"
    assert not (dataset / "overlays").exists()
    CliRunner().invoke(app, ["decide", str(dataset), "--apply", "--set", "blur.min=0.0001"])
    assert len(list((dataset / "overlays").iterdir())) == 1  # other thresholds are a record


def test_it_is_the_last_line_on_the_standard_error(dataset: Path) -> None:
    done = CliRunner().invoke(app, ["stats", str(dataset)])
    assert done.stderr.splitlines()[-1] == f"next: phq report '{dataset}'"
    assert "next:" not in done.stdout
    assert CliRunner().invoke(app, ["stats", str(dataset), "--json", "-"]).stderr == ""


def test_where_something_was_found_it_is_another(dataset: Path) -> None:
    clean = CliRunner().invoke(app, ["verify", str(dataset), "--quick", "--workers", "1"])
    assert clean.stderr.splitlines()[-1].startswith("next: phq publish")
    (dataset / "schema.json").write_text("{}")
    broken = CliRunner().invoke(app, ["verify", str(dataset), "--quick", "--workers", "1"])
    assert broken.stderr.splitlines()[-1] == f"next: phq verify '{dataset}' --repair"


def test_what_repair_cannot_mend_leads_to_what_can(tmp_path: Path) -> None:
    people = [person(number, split=split, identity="A") for number, split in enumerate(("train", "val"))]
    folder = write(tmp_path / "ds", people)
    line = f"next: phq split {folder} --name NAME --by identity"
    for options in ([], ["--repair"]):
        done = CliRunner().invoke(app, ["verify", str(folder), "--quick", "--workers", "1", *options])
        assert done.stderr.splitlines()[-1] == line, options
    assert next_step("verify", {"dataset": "ds", "remedy": ""}, found=True) == ""


def test_a_new_overlay_is_compared_with_what_it_stands_on(tmp_path: Path) -> None:
    folder = write(tmp_path / "ds", [person(number) for number in range(3)])
    overlay(folder, "first", [{"key": person(0).row["key"], "blur": 0.5}])
    assert _base(folder, "first") == {"base": "none"}
    overlay(folder, "second", [{"key": person(0).row["key"], "blur": 0.4}])
    assert _base(folder, "second") == {"base": "first"}
    options = {"dataset": folder, "sidecar": None, "name": "second", **_base(folder, "second")}
    assert next_step("annotate", options) == f"phq diff {folder} first second"


def test_a_refused_command_says_none(tmp_path: Path) -> None:
    assert "next:" not in CliRunner().invoke(app, ["stats", str(tmp_path / "absent")]).output


def test_braces_in_a_path_are_only_a_path() -> None:
    assert next_step("merge", {"datasets": ["a", "b", "out{1}"]}) == "phq verify 'out{1}'"


def test_an_embedded_generator_is_named_again() -> None:
    assert next_step("gan sample", {"run": None, "pretrained": "x"}) == "phq gan orbit --pretrained x --out orbit.mp4"
