"""The grammar of the command line, over all commands: help, shared options, defaults, and what Ctrl-C says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from curated_datasets import person, write
from typer.testing import CliRunner

from phq.cli import COMMANDS, app
from phq.commands import ending
from phq.commands.annotate import GroupName
from phq.commands.curate import By
from phq.commands.look import PORT
from phq.config.build import SETTINGS, load_config
from phq.curate.annotate.groups import GROUPS
from phq.curate.balance.balancing import CAP
from phq.curate.split import BY
from phq.errors import ConfigError, OutputError
from phq.generator.train.config import SETTINGS as RUN_SETTINGS
from phq.view.review.calibrate import LEAST

RUN = {"workers", "executor", "address", "gpus_per_worker", "device", "photo_timeout", "setup_timeout", "log_json"}
CONFIGURATION = {"preset", "config", "set_"}
DATASET_FIRST = (
    "report", "stats", "show", "review", "decide", "calibrate", "evaluate pose", "annotate", "diff", "bake", "verify",
    "redact", "split", "balance", "export labels", "export coco", "export crops", "publish",
)  # fmt: skip


def _commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


ALL = dict(_commands(typer.main.get_command(app)))


def options(name: str) -> dict[str, Any]:
    return {parameter.name: parameter for parameter in ALL[name].params}


def test_every_command_of_the_table_can_be_called() -> None:
    assert set(ALL) == {name for commands in COMMANDS.values() for name in commands}


@pytest.mark.parametrize("name", ALL)
def test_every_parameter_has_a_phrase_and_says_its_default(name: str) -> None:
    for option in ALL[name].params:
        assert option.help, option.name
        assert option.help.endswith("."), option.help
        known = option.required or getattr(option, "is_flag", False) or option.default is not None
        assert known or isinstance(option.show_default, str) or option.name in {"keys", "photo"}, option.name


@pytest.mark.parametrize("name", DATASET_FIRST)
def test_the_dataset_is_the_first_argument(name: str) -> None:
    assert ALL[name].params[0].name == "dataset"
    assert ALL[name].params[0].param_type_name == "argument"


def test_the_same_options_wherever_the_same_work_runs() -> None:
    for name in ("build", "import", "synth", "annotate"):
        assert options(name).keys() >= RUN, name
    assert "workers" in options("verify")
    for name in ("build", "annotate", "decide", "gan train"):
        assert options(name).keys() >= CONFIGURATION, name
    for name in ALL:
        assert not {"overlay", "raw", "stages", "psi"} & options(name).keys(), name


def test_texts_follow_the_code_that_decides_them() -> None:
    assert [group.value for group in GroupName] == [group.name for group in GROUPS]
    assert [by.value for by in By] == list(BY)
    assert all(name in options("build")["preset"].help for name in SETTINGS.preset_names())
    assert all(name in options("gan train")["preset"].help for name in RUN_SETTINGS.preset_names())
    config = load_config()
    assert options("build")["size"].show_default == str(config.size)
    assert options("build")["seed"].show_default == str(config.seed)
    assert options("split")["val"].default == config.split.val_fraction
    assert options("balance")["cap"].default == CAP
    assert options("calibrate")["least"].default == LEAST
    assert options("review")["port"].default == PORT


def test_every_command_ends_with_a_sentence_that_is_said_of_it() -> None:
    said = {name: sentence for commands in COMMANDS.values() for name, (_, sentence) in commands.items()}
    assert {said[name] for name in ("build", "import", "synth", "annotate", "publish", "weights pull")} == {
        ending.CONTINUES
    }
    assert {said[name] for name in ("bake", "merge")} == {ending.RESTARTS}
    assert {said[name] for name in ("redact", "split", "balance", "decide")} == {ending.WHOLE_CHANGE}
    assert all(sentence for sentence in said.values())


def call(*words: object) -> Any:
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.fixture
def three(tmp_path: Path) -> Path:
    return write(tmp_path / "set", [person(number) for number in range(3)], sheet=False)


def test_json_takes_the_place_of_the_text_or_goes_to_a_file(three: Path, tmp_path: Path) -> None:
    printed = json.loads(call("stats", three, "--json", "-").stdout)
    assert (printed["command"], printed["samples"]["all"]) == ("phq stats", 3)
    done = call("verify", three, "--workers", 1, "--json", tmp_path / "found.json")
    assert "clean" in done.stdout
    assert json.loads((tmp_path / "found.json").read_text())["clean"] is True
    call("verify", three, "--workers", 1, "--json", tmp_path / "found.json")  # an earlier result may be replaced


@pytest.mark.parametrize("command", ["stats", "verify", "decide"])
def test_json_replaces_no_other_file_and_nothing_is_done_before(three: Path, tmp_path: Path, command: str) -> None:
    mine = tmp_path / "mine.json"
    mine.write_text("{}")
    with pytest.raises(OutputError, match="would be replaced"):
        call(command, three, "--json", mine)
    assert mine.read_text() == "{}"


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (("decide", "SET"), "entering"),
        (("diff", "SET", "none", "latest"), "changes"),
        (("show", "SET", "KEY"), "record"),
        (("split", "SET", "--name", "new", "--by", "source"), "sizes"),
        (("balance", "SET", "--name", "even", "--target", "uniform-yaw"), "effective"),
        (("bake", "SET", "OUT"), "migrations"),
        (("redact", "SET", "KEY"), "keys"),
        (("review", "SET", "--stats"), "marks"),
        (("export", "labels", "SET", "--out", "OUT", "--format", "eg3d"), "count"),
    ],
)
def test_every_result_is_json(three: Path, tmp_path: Path, words: tuple[str, ...], key: str) -> None:
    from phq.dataset.reader import Dataset

    places = {"SET": str(three), "OUT": str(tmp_path / "out"), "KEY": Dataset(three).keys[0]}
    assert key in json.loads(call(*(places.get(word, word) for word in words), "--json", "-").stdout)


def test_a_wrong_number_of_workers_is_a_mistake_of_the_command(three: Path) -> None:
    for workers in ("many", "0"):
        with pytest.raises(ConfigError):
            call("annotate", three, "--name", "new", "--groups", "decisions", "--workers", workers)
