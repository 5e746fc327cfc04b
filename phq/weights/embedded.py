"""The embedded ONNX networks: where they are, and what they must hash to."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from phq.errors import ConfigError, WeightError

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Weight:
    """A file with weights: a line of ``registry.json``, or what a back end says of its own."""

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


def embedded(name: str, asked: str = "") -> Weight:
    """The entry of an embedded network whose file is what the registry says.

    Args:
        asked: weights that the configuration asks for after a colon; there are none but the network's own.

    Raises:
        ConfigError: others are asked for. WeightError: see `checked_path`.
    """
    if asked:
        raise ConfigError(f"'{name}:{asked}': {name} comes with its own weights and takes no others; write {name}")
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
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != weight.sha256:
        raise WeightError(f"weight file {path} has sha256 {found}, expected {weight.sha256}; reinstall phq")
    return path
