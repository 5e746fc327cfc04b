"""What must stay on one side of a split: samples linked by photo, person or likeness."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from phq.dataset.statements import names_of

LINKS = ("key", "source_sha256", "identity", "duplicate_of", "duplicate_group", "scene_group", "identity_group")
"""Columns that link samples."""


def components(rows: Iterable[Mapping[str, Any]], identity: bool = True) -> NDArray[np.int64]:
    """(n,) a number for each row, equal for rows that are linked directly or through others; from 0, by first row.

    Two samples are linked if they are of one photo, if they name the same person, or if one repeats the other
    (``duplicate_of``), both repeat a third, kept or not, or they are in one group of duplicates, a scene or a face.

    Args:
        rows: `LINKS` of each sample. identity: whether a person links.
    """
    pairs = [(row, name) for row, fields in enumerate(rows) for name in _names(fields, identity)]
    numbers: dict[tuple[str, str], int] = {}
    ends = np.array([(row, numbers.setdefault(name, len(numbers))) for row, name in pairs], np.int64).reshape(-1, 2)
    count = int(ends[:, 0].max()) + 1 if len(ends) else 0
    total = count + len(numbers)
    graph = coo_array((np.ones(len(ends), bool), (ends[:, 0], ends[:, 1] + count)), shape=(total, total))
    label = connected_components(graph, directed=False)[1][:count]
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[inverse], np.int64)


def _names(fields: Mapping[str, Any], identity: bool) -> Sequence[tuple[str, str]]:
    """Names that a row shares with those it is linked to."""
    found = [("sample", fields["key"])]
    alike = ("duplicate_of", "duplicate_group", "scene_group", "identity_group")
    found += [("sample", fields[name]) for name in alike if fields.get(name)]
    found += [("photo", fields["source_sha256"])] if fields["source_sha256"] else []
    return found + [("person", name) for name in names_of(fields["identity"] if identity else "")]
