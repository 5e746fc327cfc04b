"""What must stay on one side of a split: photos that show the same person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np


def names_of(identity: str) -> tuple[str, ...]:
    """People that the field ``identity`` names, sorted, each once; () if it is ''."""
    return tuple(sorted({name.strip() for name in identity.split(";")} - {""}))


def split_groups(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """By ``source_sha256``, a text that is the same for all photos that must not be separated.

    A photo without an identity is alone, and its text is its hash. Photos linked by people they share, directly or
    through others, have the text ``identity:`` and the first name among them. Rows without a hash (a photo that could
    not be read) are left out.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = {(row["source_sha256"], row.get("identity") or "") for row in rows if row.get("source_sha256")}
    pairs = sorted((photo, name) for photo, identity in links for name in names_of(identity))
    photos = {photo: i for i, photo in enumerate(sorted({photo for photo, _ in links}))}
    people = {name: i for i, name in enumerate(sorted({name for _, name in pairs}), len(photos))}
    ends = np.array([(photos[photo], people[name]) for photo, name in pairs], dtype=np.int32).reshape(-1, 2).T
    size = len(photos) + len(people)
    label = connected_components(coo_array((np.ones(ends.shape[1]), ends), shape=(size, size)), directed=False)[1]
    first: dict[int, str] = {}
    for name, node in people.items():
        first.setdefault(int(label[node]), f"identity:{name}")
    return {photo: first.get(int(label[node]), photo) for photo, node in photos.items()}
