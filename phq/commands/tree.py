"""Commands that are made when they are called or their help is wanted, with plain help in panels.

Typer would inspect every function to show one, and load its coloured boxes: three quarters of what ``phq --help`` took.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


class Command(TyperCommand):
    """A command whose help lists arguments, options, and the options of each panel."""

    def get_help(self, ctx: Any) -> str:
        """The help, in what the standard output can print."""
        return _printable(super().get_help(ctx))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the sections."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            usual = "Arguments" if parameter.param_type_name == "argument" else "Options"
            panel = getattr(parameter, "rich_help_panel", None) or usual
            if (record := parameter.get_help_record(ctx)) is not None:
                panels.setdefault(panel, []).append(record)
        _write(formatter, panels)


class Commands(MutableMapping[str, Any]):
    """Commands and groups by name, each made once, when it is first taken."""

    def __init__(self) -> None:
        self._makers: dict[str, Callable[[], Any]] = {}
        self._made: dict[str, Any] = {}
        self.panels: dict[str, list[tuple[str, str]]] = {}
        """Names and summaries by panel of the help."""

    def add(self, panel: str, name: str, function: Callable[..., None]) -> None:
        """Add the command of a function, whose docstring begins with the summary."""
        self.panels.setdefault(panel, []).append((name, _summary(inspect.getdoc(function) or "")))
        self._makers[name] = lambda: command(name, function)

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __setitem__(self, name: str, made: Any) -> None:
        self._makers[name] = lambda: made

    def __delitem__(self, name: str) -> None:
        del self._makers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def group(self, panel: str, name: str, about: str) -> Commands:
        """The commands of a group, which is added if it is new."""
        if name not in self._makers:
            inner = Commands()
            self.panels.setdefault(panel, []).append((name, about))
            group = Group(name=name, help=about, no_args_is_help=True, rich_markup_mode=None)
            group.commands = inner
            self[name] = group
        found: Commands = self[name].commands
        return found


class Group(TyperGroup):
    """A group of `Commands`."""

    def get_help(self, ctx: Any) -> str:
        """The help, in what the standard output can print."""
        return _printable(super().get_help(ctx))

    def list_commands(self, _ctx: Any) -> list[str]:
        """Names in the order of the table."""
        return list(self.commands)

    def format_commands(self, _ctx: Any, formatter: Any) -> None:
        """Write a section for each panel, without making a command."""
        if isinstance(self.commands, Commands):
            _write(formatter, self.commands.panels)


def command(name: str, function: Callable[..., None]) -> Any:
    """The command of a function."""
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(name, cls=Command)(function)
    return typer.main.get_command(alone)


def _printable(text: str) -> str:
    """Typer would write UTF-8 where the encoding is ASCII."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def _summary(text: str) -> str:
    return " ".join(text.split("\n\n", maxsplit=1)[0].split())


def _write(formatter: Any, panels: dict[str, list[tuple[str, str]]]) -> None:
    for panel, rows in panels.items():
        with formatter.section(panel):
            formatter.write_dl(rows)
