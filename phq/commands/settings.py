"""The commands that list what ``--set`` takes: ``phq settings`` and ``phq gan settings``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from phq.commands.options import ConfigFile, Sets, preset_option
from phq.commands.output import Json, report

Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="WORD", help="Only settings whose name contains a word.", show_default="all"),
]


def settings_command(
    words: Words = None,
    *,
    preset: Annotated[str | None, preset_option("phq.config", "default")] = None,
    config: ConfigFile = None,
    set_: Sets = None,
    json: Json = None,
) -> None:
    """List the settings of build, decide and annotate: value, unit, meaning, default."""
    from phq.config.build import SETTINGS  # pydantic: not for --help

    _list("settings", SETTINGS, "default", words, preset, config, set_, json)


def gan_settings_command(
    words: Words = None,
    *,
    preset: Annotated[str | None, preset_option("phq.generator", "tiny")] = None,
    config: ConfigFile = None,
    set_: Sets = None,
    json: Json = None,
) -> None:
    """List the settings of a training run: value, unit, meaning, default."""
    from phq.generator.train.config import DEFAULT, SETTINGS

    _list("gan settings", SETTINGS, DEFAULT, words, preset, config, set_, json)


def _list(
    command: str,
    kind: Any,
    default: str,
    words: list[str] | None,
    preset: str | None,
    config: Path | None,
    sets: list[str] | None,
    json: str | None,
) -> None:
    from phq.config.listing import described, lines

    found = described(kind, default, preset, config, sets or (), words or ())
    report(command, {"settings": found}, lines(found), json)
