"""The weights that phq can download, as ``remote.json`` lists them."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from phq.errors import WeightError

FILE = Path(__file__).parent / "remote.json"


@dataclass(frozen=True)
class Remote:
    """One entry of ``remote.json``."""

    name: str
    file: str
    """Its name in the cache and on a mirror."""
    url: str
    size: int
    """Bytes."""
    sha256: str
    """Stated for the file at `url` by two unrelated public projects, or pinned by the project that publishes it."""
    licence: str
    source: str
    purpose: str
    extra: str
    """The extra of phq with the package that runs it; empty if ONNX Runtime does."""


def remotes() -> dict[str, Remote]:
    """Every downloadable file by name, in the order of names."""
    return _read(FILE)


@cache
def _read(file: Path) -> dict[str, Remote]:
    entries = json.loads(file.read_text(encoding="utf-8"))
    return {entry["name"]: Remote(**entry) for entry in entries}


def remote(name: str) -> Remote:
    """The entry of a name.

    Raises:
        WeightError: there is none; the message has the nearest names.
    """
    try:
        return remotes()[name]
    except KeyError:
        raise unknown(name, remotes()) from None


def unknown(name: str, known: Iterable[str]) -> WeightError:
    """The error for a name that is not among the known ones, with the nearest of them."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    guess = f"did you mean {' or '.join(near)}? " if near else ""
    return WeightError(f"there are no weights {name!r}: {guess}'phq weights list' shows all")
