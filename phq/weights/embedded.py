"""The embedded ONNX networks: their paths and checksums."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from phq.errors import ConfigError, WeightError

FOLDER = Path(__file__).parent
GENERATOR = "generator-"
"""What the entries of generators of people begin with; the rest is the name for ``--pretrained``."""


@dataclass(frozen=True)
class Weight:
    """A file with weights: an entry of ``registry.json``, or a back end's own file."""

    name: str
    file: str
    sha256: str
    size: int
    licence: str
    source: str
    purpose: str


@cache
def registry() -> dict[str, Weight]:
    """Every embedded network by name."""
    entries = json.loads((FOLDER / "registry.json").read_text(encoding="utf-8"))
    return {e["name"]: Weight(**e) for e in entries}


def generators() -> list[str]:
    """Names of the generators of people that come with phq."""
    return [name.removeprefix(GENERATOR) for name in registry() if name.startswith(GENERATOR)]


def embedded(name: str, weights: str = "") -> Weight:
    """The entry of an embedded network whose file is what the registry says.

    Args:
        name: of the network.
        weights: weights that the configuration names after a colon; a network of this kind has only its own.

    Raises:
        ConfigError: other weights are named.
        WeightError: see `checked_path`.
    """
    if weights:
        raise ConfigError(f"'{name}:{weights}': {name} comes with its own weights and takes no others; write {name}")
    checked_path(name)
    return registry()[name]


@cache
def checked_path(name: str) -> Path:
    """Path of a network whose bytes are what the registry says; the check runs once a process.

    Raises:
        WeightError: the file is missing or its sha256 differs.
    """
    weight = registry()[name]
    path = FOLDER / weight.file
    if not path.is_file():
        raise WeightError(f"weight file {path} is missing; reinstall phq (it ships {weight.file})")
    actual = hashlib.sha256(path.read_bytes()).hexdigest()
    if actual != weight.sha256:
        raise WeightError(f"weight file {path} has sha256 {actual}, expected {weight.sha256}; reinstall phq")
    return path
