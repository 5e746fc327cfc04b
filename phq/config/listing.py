"""Settings as a list for people: every name with its value, its default and its meaning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from phq.config.reading import Settings

ABSENT = "off"
"""Value of an entry that a table lacks, such as a threshold."""


@dataclass(frozen=True)
class Setting:
    """One line of the list."""

    name: str
    """Dotted, as ``--set`` takes it."""
    value: Any
    default: Any
    """In the default preset."""
    meaning: str
    """One line, with the unit."""


def described(
    settings: Settings[Any],
    default: str,
    preset: str | None = None,
    file: Path | None = None,
    sets: Sequence[str] = (),
    names: Sequence[str] = (),
) -> list[Setting]:
    """Settings in the order of their groups.

    Args:
        settings: of which kind.
        default: name of the default preset.
        preset: see `phq.config.reading.Settings.load`.
        file: see there.
        sets: see there.
        names: only settings whose name contains one of these words; all without.

    Raises:
        ConfigError: see there; or no setting is called like one of `names`.
    """
    known = list(settings.names())
    for word in names:
        if not any(word in name for name in known):
            raise settings.unknown(word)
    now, usual = settings.load(preset, default, file, sets), settings.load(default, default, None, ())
    return [
        Setting(name, _value(settings, now, name), _value(settings, usual, name), _meaning(settings, name))
        for name in known
        if not names or any(word in name for word in names)
    ]


def _value(settings: Settings[Any], config: BaseModel, name: str) -> Any:
    for table, entries in settings.tables.items():
        if name in entries:
            return getattr(config, table).get(name, ABSENT)
    return reduce(getattr, name.split("."), config)


def _meaning(settings: Settings[Any], name: str) -> str:
    for entries in settings.tables.values():
        if name in entries:
            return entries[name]
    *sections, last = name.split(".")
    model = reduce(lambda section, part: section.model_fields[part].annotation, sections, settings.model)
    entry = model.model_fields[last]
    choices = get_args(entry.annotation) if get_origin(entry.annotation) is Literal else ()
    return f"{entry.description}{f' ({shown(choices)})' if choices else ''}"


def lines(listed: Sequence[Setting]) -> Iterator[str]:
    """A line a setting: name, value, meaning, and the default where the value is another."""
    wide = max((len(setting.name) for setting in listed), default=0)
    for setting in listed:
        other = "" if setting.value == setting.default else f"   (default {shown(setting.default)})"
        yield f"{setting.name:<{wide}}  {shown(setting.value):<12}  {setting.meaning}{other}"


def shown(value: Any) -> str:
    """A value as ``--set`` takes it."""
    if isinstance(value, tuple):
        tables = [part for part in value if isinstance(part, BaseModel)]
        return f"{len(tables)} tables" if tables else ",".join(map(shown, value)) or "[]"
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "absent"
    return f"{value:g}" if isinstance(value, float) else str(value) or "''"
