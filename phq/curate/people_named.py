"""Names of the people in removed rows: as a sidecar stated them, and as the names of their photos spell them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

import pyarrow as pa

_SEVERAL = ";"
_SHORTEST = 3
_OF_CAMERAS = frozenset((
    "photo", "photos", "image", "images", "img", "picture", "pictures", "pic", "dsc", "dscf", "dscn", "frame", "frames",
    "head", "heads", "portrait", "portraits", "person", "people", "raw", "input", "inputs", "data", "source", "synth",
))  # fmt: skip
"""Words of paths that name nobody."""


def identities(rows: pa.Table) -> set[str]:
    """Every identity that the rows state, each by itself.

    Args:
        rows: ``identity``.
    """
    stated = {name.strip() for text in _texts(rows, "identity") for name in text.split(_SEVERAL)}
    return {name for name in stated if len(name) >= _SHORTEST and _words(name)}


def file_names(rows: pa.Table) -> set[str]:
    """Names of the photos' files, without their folders.

    Args:
        rows: ``source_path``.
    """
    return {PurePosixPath(path).name for path in _texts(rows, "source_path")}


def named_in(text: str, gone: pa.Table, stay: pa.Table) -> str:
    """The first word of a text that is a name of one of the people; '' if there is none.

    A name is a word of an identity, or of the path of a photo where no other path has it.

    Args:
        text: any.
        gone: ``identity`` and ``source_path`` of the people.
        stay: the same of all others.
    """
    ours = {word for name in identities(gone) for word in _words(name)}
    paths = {word for path in _texts(gone, "source_path") for word in _words(_stem(path))}
    others = {word for path in _texts(stay, "source_path") for word in _words(_stem(path))}
    names = ours | (paths - others - _OF_CAMERAS)
    return next((word for word in re.findall(r"[^\W\d_]+", text) if word.casefold() in names), "")


def _stem(path: str) -> str:
    return str(PurePosixPath(path).with_suffix("")) if path else ""


def _words(text: str) -> set[str]:
    return {word.casefold() for word in re.findall(r"[^\W\d_]+", text) if len(word) >= _SHORTEST}


def _texts(rows: pa.Table, column: str) -> Iterable[str]:
    return [text for text in rows[column].unique().to_pylist() if text]
