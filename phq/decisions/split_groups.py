"""What must stay on one side of a split: photos that show the same person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from phq.dataset.statements import names_of

GROUPED_BY = ("source_sha256", "identity", "duplicate_group", "scene_group", "identity_group")
"""Columns that keep photos together."""


def split_groups(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """By ``source_sha256``, a text that is the same for all photos that must not be separated.

    A photo that shares nothing is alone, and its text is its hash. Photos linked by people they share, or by a group of
    duplicates, a scene or a face, directly or through others, have the text ``identity:`` and the first name among
    them, or else ``group:`` and the first key. Rows without a hash (a photo that could not be read) are left out.

    Args:
        rows: `GROUPED_BY` of each sample, as far as they are known.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = {(row["source_sha256"], name) for row in rows if row.get("source_sha256") for name in ("", *_shared(row))}
    pairs = sorted((photo, name) for photo, name in links if name)
    photos = {photo: i for i, photo in enumerate(sorted({photo for photo, _ in links}))}
    named_first = sorted({name for _, name in pairs}, key=lambda name: (name.startswith("group:"), name))
    people = {name: i for i, name in enumerate(named_first, len(photos))}
    ends = np.array([(photos[photo], people[name]) for photo, name in pairs], dtype=np.int32).reshape(-1, 2).T
    size = len(photos) + len(people)
    label = connected_components(coo_array((np.ones(ends.shape[1]), ends), shape=(size, size)), directed=False)[1]
    first: dict[int, str] = {}
    for name, node in people.items():
        first.setdefault(int(label[node]), name)
    return {photo: first.get(int(label[node]), photo) for photo, node in photos.items()}


def _shared(row: Mapping[str, Any]) -> Iterator[str]:
    """What a sample shares with others that must stay with it."""
    yield from (f"identity:{name}" for name in names_of(row.get("identity") or ""))
    yield from (f"group:{key}" for key in map(row.get, GROUPED_BY[2:]) if key)
