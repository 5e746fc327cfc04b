"""The commands that list what ``--set`` takes: ``phq settings`` and ``phq gan settings``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from phq.commands.options import ConfigFile, GanSets, Sets, preset_option
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
    from phq.config.listing import described

    _list("settings", described(SETTINGS, "default", preset, config, set_ or (), words or ()), json)


def gan_settings_command(
    words: Words = None,
    *,
    preset: Annotated[str | None, preset_option("phq.generator", "tiny")] = None,
    config: ConfigFile = None,
    set_: GanSets = None,
    json: Json = None,
) -> None:
    """List the settings of a training run: value, unit, meaning, default."""
    from phq.config.listing import described
    from phq.generator.train.config import DEFAULT, SETTINGS

    _list("gan settings", described(SETTINGS, DEFAULT, preset, config, set_ or (), words or ()), json)


def _list(command: str, listed: list[Any], json: str | None) -> None:
    from phq.config.listing import lines

    report(command, {"settings": listed}, lines(listed), json)
