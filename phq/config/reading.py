"""Settings of any pydantic model from a preset, a user's TOML file and ``--set``, each over the one before it."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from phq.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

OFF = ("off", "none")
"""Values that remove an entry of a table, such as a threshold."""


class Section(BaseModel):
    """A table of settings: unknown names are refused, no type is converted into another, nothing can be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Settings(Generic[Model]):
    """How settings of one kind are read."""

    model: type[Model]
    """With a field ``preset``."""
    presets: Path
    """Folder of its presets, ``NAME.toml``."""
    listed: str
    """Sentence that says where its settings are documented."""
    tables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Fields that are tables of numbers, with the names that their entries can have and their meanings. An entry may be
    set without the name of its table (``blur.min``) and is removed by one of `OFF`."""

    def names(self) -> Iterator[str]:
        """Every dotted name that can be set."""
        for name in setting_names(self.model):
            if name in self.tables:
                yield from self.tables[name]
            elif name != "preset":
                yield name

    def preset_names(self) -> list[str]:
        """Names of the presets that come with phq, sorted."""
        return sorted(path.stem for path in self.presets.glob("*.toml"))

    def read_preset(self, name: Any) -> dict[str, Any]:
        """Content of a preset.

        Raises:
            ConfigError: there is no such preset; the message lists those there are.
        """
        if name not in self.preset_names():
            raise ConfigError(f"unknown preset {name!r}; there are: {', '.join(self.preset_names())}")
        return read_toml(self.presets / f"{name}.toml")

    def load(self, preset: str | None, default: str, file: Path | None, sets: Sequence[str], **more: Any) -> Model:
        """Combine all sources; a later one wins over an earlier one.

        Args:
            preset: its name; None for the one that `file` names under ``preset``, else `default`.
            default: name of the preset if no other is named.
            file: TOML.
            sets: each ``key=value``, see `parse_set`.
            **more: top-level settings by name; one that is None is not set.

        Raises:
            ConfigError: an unknown preset or setting (with the nearest known names), a value of the wrong type or out
                of range, a file that cannot be read or is not TOML (with the line).
        """
        own = read_toml(file) if file else {}
        named = preset or own.pop("preset", None) or default
        own.pop("preset", None)
        return self.over({**self.read_preset(named), "preset": named}, own, sets, **more)

    def over(self, below: Mapping[str, Any], own: Mapping[str, Any], sets: Sequence[str] = (), **more: Any) -> Model:
        """The settings in the table `below`, with those of the table `own`, `sets` and `more` over them.

        Raises:
            ConfigError: see `load`.
        """
        values = {**self._flat(below), **self._flat(own)}
        preset = values.pop("preset", None)
        for text in sets:
            values.update(self._flat(dict([parse_set(text, self._is_text)])))
        values.update((name, value) for name, value in more.items() if value is not None)
        known = list(self.names())
        for name in values:
            if name not in known:
                raise self.unknown(name)
        nested = self._nested(values)
        return validated(self.model, nested if preset is None else {**nested, "preset": preset}, tables=self.tables)

    def unknown(self, name: str) -> ConfigError:
        """The error for a setting that does not exist, with the nearest known names."""
        if name in self.tables:
            return ConfigError(
                f"{name} is a table: set its entries, such as {next(iter(self.tables[name]))}. {self.listed}"
            )
        known = list(self.names())
        parts = [other for other in known if other.startswith(f"{name}.") or other.endswith(f".{name}")]
        near = parts or difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        groups = dict.fromkeys(other.partition(".")[0] + ".*" * ("." in other) for other in setting_names(self.model))
        guess = f"did you mean {' or '.join(near)}?" if near else f"names are {', '.join(groups)}."
        return ConfigError(f"unknown setting {name!r}: {guess} {self.listed}")

    def _is_text(self, name: str) -> bool:
        """Whether a setting is text, so that what looks like a number is text as well."""
        field: Any = None
        model: Any = self.model
        for part in name.split("."):
            field = getattr(model, "model_fields", {}).get(part)
            model = field.annotation if field is not None else None
        kinds = get_args(model) or (model,)
        return any(kind is str or isinstance(kind, str) for kind in kinds)

    def _short(self, name: str) -> str:
        table, _, entry = name.partition(".")
        return entry if entry and table in self.tables else name

    def _flat(self, table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
        flat: dict[str, Any] = {}
        for key, value in table.items():
            nested = isinstance(value, Mapping)
            flat.update(self._flat(value, f"{prefix}{key}.") if nested else {self._short(prefix + key): value})
        return flat

    def _nested(self, values: Mapping[str, Any]) -> dict[str, Any]:
        tables: dict[str, Any] = {
            table: {name: values[name] for name in values if name in entries and values[name] not in OFF}
            for table, entries in self.tables.items()
        }
        for name, value in values.items():
            if not any(name in entries for entries in self.tables.values()):
                *sections, last = name.split(".")
                table = tables
                for section in sections:
                    table = table.setdefault(section, {})
                table[last] = value
        return tables


def setting_names(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every dotted name of a model, in the order of its fields."""
    for name, entry in section.model_fields.items():
        kind = entry.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from setting_names(kind, f"{prefix}{name}.")
        else:
            yield prefix + name


def read_toml(path: Path) -> dict[str, Any]:
    """Content of a TOML file.

    Raises:
        ConfigError: it cannot be read or is not TOML (with the line).
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the configuration {path} is not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the configuration {path} is not valid TOML: {error}") from error


def parse_set(text: str, is_text: Callable[[str], bool] = lambda _: False) -> tuple[str, Any]:
    """Dotted name and value of ``key=value``.

    The value is TOML (``0.5``, ``true``, ``"text"``, ``[64, 128]``), or a list without its brackets, which some shells
    take for a pattern of file names (``64,128``), or a number or truth as Python writes it (``.5``, ``True``). Anything
    else on one line that does not begin like a TOML string, list or table is a string as it is written, since a shell
    takes away the quotes; of a text setting, nothing is the empty one.

    Args:
        text: of the option.
        is_text: whether the setting of a name is text; then only a TOML string is read as TOML.

    Raises:
        ConfigError: there is no key or value, or what begins like a string, list or table is not one.
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    if not name or not equals:
        raise ConfigError(f"--set {text!r} is not of the form key=value")
    spellings = value, f"[{value}]" if "," in value else "", _as_toml(value)
    parsed = next((found for found in map(_toml, spellings) if found), None)
    if is_text(name):
        bare = value[:1] not in ("'", '"')
        parsed = {"value": value} if bare and not isinstance((parsed or {}).get("value"), str) else parsed
    if parsed is None and value and value[0] not in "'\"[{":
        parsed = {"value": value}
    if set(parsed or ()) != {"value"} or "\n" in value:
        raise ConfigError(f"--set {name}: {value!r} is not a TOML value; write 0.5, true, text or [64, 128]")
    return name, (parsed or {})["value"]


def _as_toml(value: str) -> str:
    """A number without a digit on one side of its point, or a truth in other letters, as TOML has it; else ''."""
    if number := re.fullmatch(r"([-+]?)(\d*)\.(\d*)", value):
        sign, whole, part = number.groups()
        return f"{sign}{whole or 0}.{part or 0}" if whole or part else ""
    return value.lower() if value.lower() in ("true", "false") else ""


def _toml(value: str) -> dict[str, Any] | None:
    """A TOML document of one value; None if it is not one."""
    try:
        return tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        return None


def validated(
    model: type[Model], table: Mapping[str, Any], prefix: Sequence[str] = (), tables: Iterable[str] = ()
) -> Model:
    """An instance of the model.

    Args:
        model: its class.
        table: its fields.
        prefix: sections that the model is part of; the message names them before the setting.
        tables: fields whose names the message leaves out, see `Settings.tables`.

    Raises:
        ConfigError: a sentence for each wrong value, with its setting.
    """
    try:
        return model.model_validate(table)
    except ValidationError as error:
        sentences = (_sentence(fault, prefix, tables) for fault in error.errors())
        raise ConfigError("; ".join(sentences)) from error


def _sentence(fault: Any, prefix: Sequence[str], tables: Iterable[str]) -> str:
    parts = [*prefix, *map(str, fault["loc"])]
    where = ".".join(parts[1:] if parts[:1] and parts[0] in tables else parts)
    message = fault["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if isinstance(fault["input"], Mapping) or fault["type"] == "value_error":  # about several settings together
        return f"{where}: {message}".removeprefix(": ")
    off = f", or {OFF[0]!r}" if parts[:1] and parts[0] in tables else ""
    return f"{where} = {fault['input']!r}: {message}{off}"
