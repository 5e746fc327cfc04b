"""Texts that ``phq weights`` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from phq.errors import WeightError
from phq.system.sizes import size_text
from phq.weights.catalogue import Remote, remotes, unknown
from phq.weights.embedded import FOLDER, Weight, checked_path, registry
from phq.weights.store import DAMAGED, HERE, MISSING, Pulled, path_of, state_of, weights_folder


def chosen(names: Sequence[str]) -> list[Weight | Remote]:
    """Entries of these names, embedded or downloadable, all if none are named.

    Raises:
        WeightError: a name is unknown.
    """
    known: dict[str, Weight | Remote] = {**registry(), **remotes()}
    for name in names:
        if name not in known:
            raise unknown(name, known)
    return [known[name] for name in dict.fromkeys(names)] or list(known.values())


def listing() -> Iterator[str]:
    """A line for each file: name, where it is, size, licence, purpose."""
    rows = [("name", "state", "size", "licence", "for")]
    for entry in chosen(()):
        state, needs = "embedded", ""
        if isinstance(entry, Remote):
            state = HERE if path_of(entry).is_file() else MISSING  # the file is not read: `verify` does that
            needs = f" (phq[{entry.extra}])" if entry.extra else ""
        rows.append((entry.name, state, size_text(entry.size), entry.licence, entry.purpose + needs))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        yield "   ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[4]])
    yield f"downloads are in {weights_folder()}"


def pulled(result: Pulled) -> str:
    """Whether a file was downloaded, its path and licence."""
    did = "downloaded" if result.downloaded else "already here"
    return f"{result.entry.name}   {did}, sha256 checked   {result.path}\nlicence: {result.entry.licence}"


def verified(names: Sequence[str]) -> tuple[list[str], bool]:
    """A line for each file, and whether all are sound; downloads that are missing count only when named.

    Raises:
        WeightError: a name is unknown.
    """
    lines, sound = [], True
    for entry in chosen(names):
        state, path = _verdict(entry)
        if state == MISSING and not names:
            continue
        lines.append(f"{entry.name}   {state}   {path}")
        sound &= state == HERE
    return lines, sound


def _verdict(entry: Weight | Remote) -> tuple[str, Path]:
    if isinstance(entry, Remote):
        return state_of(entry), path_of(entry)
    try:
        return HERE, checked_path(entry.name)
    except WeightError:
        path = FOLDER / entry.file
        return (DAMAGED if path.is_file() else MISSING), path


def licences(names: Sequence[str]) -> Iterator[str]:
    """Licence and source of each file, grouped by licence.

    Raises:
        WeightError: a name is unknown.
    """
    entries = chosen(names)
    for licence in sorted({entry.licence for entry in entries}):
        yield licence
        for entry in entries:
            if entry.licence == licence:
                yield f"  {entry.name}   {entry.source}"
