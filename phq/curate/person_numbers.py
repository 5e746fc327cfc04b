"""One numbering of the people of a photo that several datasets have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from phq.decisions.duplicates import SAME_BOX
from phq.detect.boxes import paired_iou
from phq.schema import BOX, Fields

_Finding = tuple[int, str]
"""One detection of a photo: number of the dataset, recorded path."""


def number_people(datasets: Sequence[Iterable[Fields]]) -> set[int]:
    """Give the people of each photo (by ``source_sha256``) one number each, in place.

    Two datasets may have found different people in a photo, so that the first person of one is the second of the
    other. Boxes that coincide are one person. Where the numbers contradict each other all people of the photo are
    numbered again, from the left; where they do not, nothing changes.

    Args:
        datasets: for each its rows, kept or rejected, with the fields of `phq.schema.Row`; rows without a box are
            passed over.

    Returns:
        `id` of each row that has a new number.
    """
    photos: dict[str, list[tuple[_Finding, Fields]]] = defaultdict(list)
    for number, rows in enumerate(datasets):
        for row in rows:
            if row.get("source_sha256") and all(row.get(name) is not None for name in (*BOX, "person_index")):
                photos[row["source_sha256"]].append(((number, row["source_path"]), row))
    return {id(row) for people in photos.values() for row in _number(people)}


def _number(people: Sequence[tuple[_Finding, Fields]]) -> list[Fields]:
    """Rows of one photo that have a new number."""
    clusters = _clusters(people)
    numbers = [{row["person_index"] for row in cluster} for cluster in clusters]
    if all(len(found) == 1 for found in numbers) and len(set.union(*numbers)) == len(clusters):
        return []
    changed = []
    for number, cluster in enumerate(sorted(clusters, key=lambda c: [c[0][name] for name in BOX])):
        changed += [row for row in cluster if row["person_index"] != number]
        for row in cluster:
            row["person_index"] = number
    return changed


def _clusters(people: Sequence[tuple[_Finding, Fields]]) -> list[list[Fields]]:
    """Rows that are one person; each detection of a photo has one row of a person."""
    clusters: list[dict[_Finding, Fields]] = []
    for finding, row in people:
        fits = (c for c in clusters if finding not in c and _overlap(next(iter(c.values())), row) >= SAME_BOX)
        same = next(fits, None)
        if same is None:
            clusters.append(same := {})
        same[finding] = row
    return [list(cluster.values()) for cluster in clusters]


def _overlap(a: Fields, b: Fields) -> float:
    """Intersection over union of two boxes; 1 where they are equal, whatever their area."""
    if all(a[name] == b[name] for name in BOX):
        return 1.0
    return float(paired_iou(*(np.array([row[name] for name in BOX]) for row in (a, b))))
