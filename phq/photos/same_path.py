"""Paths that mean the same file though their bytes differ: Unicode forms, slashes and ``./``.

A list or sidecar that was written on another system spells a path in its own way: macOS decomposes accents, Windows
writes backslashes, programs put ``./`` before, and tables leave spaces round it. Case is not among this: two files can
differ by it.
"""

from __future__ import annotations

import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path


def spelled_alike(path: str) -> str:
    """The form that all spellings of a path share: composed (NFC), forward slashes, no ``./``, no spaces round it."""
    return posixpath.normpath(unicodedata.normalize("NFC", path.strip()).replace("\\", "/"))


def pair_up(names: Iterable[str], wanted: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Which name each wanted path means but for its spelling.

    Args:
        names: those that nothing means exactly.
        wanted: paths that are no name exactly.

    Returns:
        wanted path by name, for pairs of one name and one path that are spelled alike; and, sorted, the wanted paths
        that could mean several names, or mean the same name as another path.
    """
    there, asked = _by_spelling(names), _by_spelling(wanted)
    both = asked.keys() & there.keys()
    sure = {there[form][0]: asked[form][0] for form in both if len(there[form]) == len(asked[form]) == 1}
    return sure, sorted(path for form in both for path in asked[form] if path not in sure.values())


def _by_spelling(paths: Iterable[str]) -> Mapping[str, list[str]]:
    found = defaultdict[str, list[str]](list)
    for path in sorted(set(paths)):
        found[spelled_alike(path)].append(path)
    return found


def existing(folder: Path, line: str, say: Callable[[str], object]) -> Path | None:
    """The one file below `folder` that is spelled like a path of a list; None if there is none, or several.

    Args:
        folder: of the list.
        line: a path, relative to `folder` or absolute, that does not exist as it is written.
        say: called with a sentence where several files could be meant.
    """
    alike = spelled_alike(line)
    place = Path(folder.anchor) if alike.startswith("/") else folder
    for part in alike.strip("/").split("/"):
        exact = place / part
        if part == ".." or exact.exists():
            place = exact
            continue
        found = [name for name in _names(place) if unicodedata.normalize("NFC", name) == part]
        if len(found) > 1:
            say(f"{line} could be {' or '.join(map(repr, found))}; it is not read")
        if len(found) != 1:
            return None
        place = place / found[0]
    return place


def _names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except OSError:
        return []
