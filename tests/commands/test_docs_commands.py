"""Every command line of the documents is one that the program understands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from phq.cli import COMMANDS, app

UsageError: Any = typer.BadParameter.__base__
"""Of the click that this Typer uses, its own or the package."""
ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def command_lines() -> Iterator[tuple[str, str]]:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for block in BLOCK.findall(page.read_text(encoding="utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                commands = line.split("#")[0].split(";")
                yield from ((page.name, command.strip()) for command in commands if command.strip().startswith("phq "))


def parsed(line: str) -> str:
    """The command that a line names, its arguments and options taken; nothing runs."""
    command: Any = typer.main.get_command(app)
    words = shlex.split(line, comments=True)[1:]
    context, names = command.context_class(command, info_name="phq"), []
    while isinstance(command, TyperGroup):
        name, found, words = command.resolve_command(context, words)
        assert found is not None, name
        command = found
        names.append(name)
        if not isinstance(command, TyperGroup):
            command.make_context(name, words, parent=context)
    return " ".join(names)


@pytest.mark.parametrize(("page", "line"), list(command_lines()))
def test_a_command_of_the_documents_is_understood(page: str, line: str):
    assert any(parsed(line) in commands for commands in COMMANDS.values())


def test_there_are_commands_and_a_wrong_one_is_not_understood():
    assert len(list(command_lines())) > 60
    with pytest.raises(UsageError):
        parsed("phq gan sample RUN --out PICTURES --seed-list 0-9")
    with pytest.raises(UsageError):
        parsed("phq gan sample RUN")
