"""The configuration of a build: a preset, a user's TOML file and ``--set``, one over the other."""

from __future__ import annotations

import difflib
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from phq.errors import ConfigError
from phq.reasons import RULE_BY_ADDRESS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PRESETS = Path(__file__).parent / "presets"

Channel = Annotated[int, Field(ge=0, le=255)]
Score = Annotated[float, Field(gt=0, le=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Read(_Section):
    """How photos are read."""

    max_pixels: int = Field(default=120_000_000, ge=1, description="a photo with more pixels is not decoded")
    background: tuple[Channel, Channel, Channel] = Field(
        default=(128, 128, 128), strict=False, description="RGB under transparent pixels"
    )


class Detect(_Section):
    """How people are found."""

    threshold: Score | None = Field(default=None, description="least score of a box; absent: the detector's own")
    skeleton_threshold: Score | None = Field(default=None, description="the same of the skeleton network")
    tiles: bool = Field(default=True, description="look at overlapping tiles of a large photo too")


class Models(_Section):
    """Which back end does each job: ``NAME`` or ``NAME:WEIGHTS`` (docs/backends.md)."""

    detector: str = Field(default="nanodet", description="finds people as boxes")
    skeleton: str = Field(default="movenet", description="17 keypoints a person, a second opinion; or none")
    landmarks: str = Field(default="blazepose", description="33 landmarks, which the labels follow from")
    face: str = Field(default="centerface", description="looks for a face where the head is")
    identity: str = Field(default="none", description="tells people apart by their faces; or none")
    mask: str = Field(default="landmarks", description="the mask of the person in the crop")


class Crop(_Section):
    """How the crop is stored."""

    jpeg_quality: int = Field(default=95, ge=1, le=100, description="quality of the stored JPEG")


class Provenance(_Section):
    """What holds for every photo that a sidecar says nothing else about."""

    licence: str = Field(default="", description="licence of the photos")
    author: str = Field(default="", description="who made them")
    source: str = Field(default="", description="where they came from")


class Duplicates(_Section):
    """What counts as a perceptual duplicate, and what becomes of it."""

    bits: int = Field(default=8, ge=0, le=16, description="most bits between two perceptual hashes of 64")
    reject: bool = Field(default=True, description="reject duplicates; if false they are only recorded")
    scene: bool = Field(default=False, description="reject all but the best of a person in one scene too")


class Identity(_Section):
    """From where on two faces are one person's."""

    same: Score | None = Field(default=None, description="least cosine of their embeddings; absent: the network's own")


class Split(_Section):
    """How samples are split."""

    val_fraction: float = Field(default=0.05, ge=0, lt=1, description="fraction of the kept samples in val")


class Config(_Section):
    """Everything that decides what a build yields; the same for the same bytes out."""

    preset: str = Field(default="default", description="name of the preset this started from")
    size: int = Field(default=512, ge=64, le=2048, description="side of the stored image, pixels")
    fast: bool = Field(default=False, description="the smaller landmark network")
    seed: int = Field(default=0, ge=0, description="seed of everything random")
    keep_rejects: bool = Field(default=False, description="store those whom thresholds reject too")
    read: Read = Read()
    detect: Detect = Detect()
    models: Models = Models()
    crop: Crop = Crop()
    provenance: Provenance = Provenance()
    duplicates: Duplicates = Duplicates()
    identity: Identity = Identity()
    split: Split = Split()
    thresholds: dict[str, float] = Field(default={}, description="by address; absent = off")

    @field_validator("thresholds")
    @classmethod
    def _known_and_finite(cls, thresholds: dict[str, float]) -> dict[str, float]:
        for address, value in thresholds.items():
            if address not in RULE_BY_ADDRESS:
                raise _unknown(address, RULE_BY_ADDRESS)
            if not math.isfinite(value):
                raise ConfigError(f"{address} = {value} is not a finite number; 'off' removes a threshold")
        return thresholds

    def model_specs(self) -> dict[str, str]:
        """The spec of the back end in each slot; `fast` selects the smaller of the embedded landmark networks."""
        specs: dict[str, str] = self.models.model_dump()
        if self.fast and specs["landmarks"] == "blazepose":
            specs["landmarks"] = "blazepose:full"
        return specs

    def storing_all(self) -> Config:
        """The same without what rejects: no threshold, and duplicates only recorded."""
        recorded = self.duplicates.model_copy(update={"reject": False, "scene": False})
        return self.model_copy(update={"thresholds": {}, "duplicates": recorded})

    def when_stored(self) -> Config:
        """What decides who is stored: nothing, if rejects are stored too; then an overlay rejects (`phq.decisions`)."""
        return self.storing_all() if self.keep_rejects else self

    def canonical(self) -> str:
        """One JSON text for equal configurations, whatever they were put together from; for hashing."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


def _setting_names() -> Iterator[str]:
    for name, field in Config.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, _Section):
            yield from (f"{name}.{part}" for part in field.annotation.model_fields)
        elif name not in ("preset", "thresholds"):
            yield name


SETTINGS = tuple(_setting_names())
"""Every dotted name that is not a threshold."""


def preset_names() -> list[str]:
    """Names of the presets that come with phq, sorted."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def load_config(
    preset: str | None = None, file: Path | None = None, sets: Sequence[str] = (), **overrides: Any
) -> Config:
    """Put a configuration together; what comes later in this list wins over what comes before.

    1. the preset: `preset`, or else the one the file names, or else ``default``;
    2. `file`, in TOML: sections and thresholds, ``blur.min = 0.3`` at the top or under ``[thresholds]``;
    3. `sets`, each ``key=value`` with a dotted key and a TOML value, as ``detect.tiles=false``;
    4. `overrides`, top-level settings by name; those that are None are not set.

    A threshold is removed by the value ``"off"`` or ``"none"``; in ``--set blur.min=off`` without quotes.

    Raises:
        ConfigError: an unknown preset, setting or threshold (with the nearest known names), a value of the
            wrong type or out of range, a file that cannot be read or is no TOML (with the line).
    """
    own = _flat(read_toml(file)) if file else {}
    named = own.pop("preset", None)
    preset = preset or named or "default"
    if preset not in preset_names():
        raise ConfigError(f"unknown preset {preset!r}; there are: {', '.join(preset_names())}")
    settings = {**_flat(read_toml(PRESETS / f"{preset}.toml")), **own}
    for text in sets:
        settings.update([_parse_set(text)])
    settings.update({name: value for name, value in overrides.items() if value is not None})
    return _validated(preset, settings)


def read_toml(path: Path) -> dict[str, Any]:
    """Content of a TOML file.

    Raises:
        ConfigError: it cannot be read or is no TOML (with the line).
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the configuration {path} is not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the configuration {path} is not valid TOML: {error}") from error


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted names to values, without the prefix ``thresholds.``: a threshold has one name everywhere."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        name = (prefix + key).removeprefix("thresholds.")
        flat.update(_flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {name: value})
    return flat


def _parse_set(text: str) -> tuple[str, Any]:
    name, equals, value = (part.strip() for part in text.partition("="))
    if not name or not equals:
        raise ConfigError(f"--set {text!r} is not of the form key=value")
    name = name.removeprefix("thresholds.")
    if name in RULE_BY_ADDRESS and value in ("off", "none"):
        return name, value
    if name.startswith("models.") and value[:1] not in ("'", '"'):
        return name, value  # a word
    try:
        parsed = tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        parsed = {}
    if set(parsed) != {"value"}:
        examples = 'write 0.5, true, "text" or [0, 0, 0]'
        raise ConfigError(f"--set {name}: {value!r} is not a TOML value; {examples}")
    return name, parsed["value"]


def _validated(preset: str, settings: Mapping[str, Any]) -> Config:
    nested: dict[str, Any] = {"preset": preset, "thresholds": {}}
    for name, value in settings.items():
        if name in RULE_BY_ADDRESS:
            if value not in ("off", "none"):
                nested["thresholds"][name] = value
        elif name in SETTINGS:
            section, dot, field = name.partition(".")
            if dot:
                nested.setdefault(section, {})[field] = value
            else:
                nested[section] = value
        else:
            raise _unknown(name, [*SETTINGS, *RULE_BY_ADDRESS])
    try:
        return Config.model_validate(nested)
    except ValidationError as error:
        raise ConfigError("; ".join(_sentence(e) for e in error.errors())) from error


def _sentence(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"]).removeprefix("thresholds.")
    return f"{where} = {error['input']!r}: {error['msg'][0].lower()}{error['msg'][1:]}"


def _unknown(name: str, known: Iterator[str] | Sequence[str] | Mapping[str, Any]) -> ConfigError:
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    guess = f"did you mean {' or '.join(near)}?" if near else f"settings are: {', '.join(SETTINGS)}."
    return ConfigError(f"unknown setting {name!r}: {guess} Thresholds are listed in phq/reasons.py")
