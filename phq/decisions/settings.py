"""The configuration for deciding or annotating again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from phq.config.build import Config, load_config, stored_config
from phq.errors import ConfigError


def settings_for(run: Mapping[str, Any], preset: str | None, file: Path | None, sets: Sequence[str]) -> Config:
    """The given preset or file, else the configuration of the dataset; `sets` on top.

    Args:
        run: content of ``run.json``; without a configuration, the default preset applies.
        preset: name of a preset.
        file: TOML file.
        sets: ``key=value`` each.

    Raises:
        ConfigError: see `phq.config.build.load_config`.
    """
    own = run.get("config")
    if preset or file or not isinstance(own, dict):
        return load_config(preset, file, sets)
    load_config("everything", None, sets)  # a mistake in `sets` is said as such
    try:
        return stored_config(own, sets)
    except ConfigError as error:
        why = "the configuration in run.json cannot be used by this version; give --preset or --config"
        raise ConfigError(f"{why} ({error})") from error
