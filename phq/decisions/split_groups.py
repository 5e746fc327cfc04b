"""Which samples must stay on one side of a split: of one photo, video, person, scene or face, and look-alikes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from phq.config.build import Config
from phq.dataset.folder import SPLITS
from phq.dataset.statements import names_of
from phq.decisions.numbered import numbered
from phq.photos.frame_names import MARK, frame_of
from phq.schema import GROUPS
from phq.system.arrays import Ints

LINKS = ("key", "source_path", "source_sha256", "identity", *GROUPS)
"""Columns that link samples."""
BATCH = 1 << 14
"""Rows turned into Python objects at a time."""


@dataclass(frozen=True)
class LinkedRows:
    """Rows of a table, with the same number for rows that must not be separated."""

    label: Ints
    """(N,) from 0."""
    first: Mapping[int, str]
    """Number → the name that the rows share, see `split_groups`; those that share none are not there."""
    table: pa.Table
    """`LINKS`."""

    def texts(self, start: int, rows: int) -> list[str]:
        """As `split_groups` gives them, of consecutive rows."""
        part = self.table.slice(start, rows)
        hashes = pc.fill_null(part["source_sha256"], "")
        alone = pc.if_else(pc.equal(hashes, ""), part["key"], hashes).to_pylist()
        labels = self.label[start : start + rows].tolist()
        return [self.first.get(label, own or "") for label, own in zip(labels, alone, strict=True)]


def split_groups(table: pa.Table, identity: bool = True) -> list[str]:
    """For each row a text that is the same for all rows that must not be separated.

    Rows are linked, directly or through others, if they are of one photo or video, name the same person, are in one
    group of duplicates, a scene or a face, or if one repeats the other or both repeat a third. The text is
    ``identity:`` and the first name among the linked rows, or else ``video:`` and the first video's, or else ``group:``
    and the first key; a photo that shares nothing is alone, and its text is its hash.

    Args:
        table: `LINKS`; null and '' link nothing.
        identity: whether a person links.
    """
    return linked_rows(table, identity).texts(0, len(table))


def linked_rows(table: pa.Table, identity: bool = True) -> LinkedRows:
    """`split_groups` as numbers: in memory are 16 bytes a row, and the names that link rows."""
    ids: dict[str, int] = {}
    edges = [np.array(list(_shared(part, identity, ids)), np.int64).reshape(-1, 2) for part in _parts(table)]
    edges += [np.array(list(_named(part, ids)), np.int64).reshape(-1, 2) for part in _parts(table)]
    starts = [*range(0, len(table), BATCH)] * 2
    rows = np.concatenate([np.empty(0, np.int64), *(n + e[:, 0] for n, e in zip(starts, edges, strict=True))])
    ends = np.concatenate([np.empty(0, np.int64), *(e[:, 1] for e in edges)])
    photo, photos = _photos(table)
    label = linked(photo[rows], photos + ends, photos + len(ids))
    first: dict[int, str] = {}
    for name in sorted(ids, key=_identity_first):
        first.setdefault(int(label[photos + ids[name]]), name)
    return LinkedRows(label[photo], first, table)


def _parts(table: pa.Table) -> Iterator[pa.Table]:
    return (table.slice(start, BATCH) for start in range(0, len(table), BATCH))


def linked(one: Ints, other: Ints, size: int) -> Ints:
    """(size,) numbers from 0, equal for nodes that edges join, directly or through others.

    Args:
        one: (E,) nodes that the edges begin at.
        other: (E,) nodes that they end at.
        size: number of nodes.

    Each label falls to the smallest that an edge joins it to (Shiloach and Vishkin 1982); scipy's components take a
    quarter of a second to import.
    """
    label = np.arange(size, dtype=np.int64)
    while True:  # every group that is not whole yet joins another, so that rounds are few
        first, second = label[one], label[other]
        if (first == second).all():
            return np.asarray(np.cumsum(label == np.arange(size))[label] - 1, np.int64)
        low = np.minimum(first, second)
        np.minimum.at(label, first, low)
        np.minimum.at(label, second, low)
        while (label[label] != label).any():
            label = label[label]


def _identity_first(name: str) -> tuple[bool, str]:
    return name.startswith("group:"), name


def _shared(table: pa.Table, identity: bool, ids: dict[str, int]) -> Iterator[tuple[int, int]]:
    """(row, number of the name) of everything that a row names: people, videos, and keys of other samples.

    Args:
        table: some rows of `LINKS`.
        identity: whether a person links.
        ids: numbers of names; grows.
    """
    for column in GROUPS:
        for row, key in enumerate(table[column].to_pylist()):
            if key:
                yield row, ids.setdefault(f"group:{key}", len(ids))
    for row, text in enumerate(table["identity"].to_pylist() if identity else ()):
        for name in names_of(text) if text else ():
            yield row, ids.setdefault(f"identity:{name}", len(ids))
    for row, path in enumerate(table["source_path"].to_pylist()):
        if path and MARK in path and (frame := frame_of(path)):
            yield row, ids.setdefault(f"video:{frame[0]}", len(ids))


def _named(table: pa.Table, ids: Mapping[str, int]) -> Iterator[tuple[int, int]]:
    """(row, number of the name) of rows whose key others name."""
    for row, key in enumerate(table["key"].to_pylist()):
        if (number := ids.get(f"group:{key}")) is not None:
            yield row, number


def _photos(table: pa.Table) -> tuple[Ints, int]:
    """(N,) the same number for rows of one photo, another for each row without a hash; and how many numbers."""
    photo = numbered(table["source_sha256"])
    unknown = np.flatnonzero(photo == 0)
    photo[unknown] = photo.max(initial=0) + 1 + np.arange(len(unknown))
    return photo, int(photo.max(initial=0)) + 1


def split_of(group: str, config: Config) -> str:
    """train or val, by a hash of the group (see `split_groups`) and the seed."""
    digest = hashlib.sha256(f"{config.seed}:{group}".encode()).digest()
    return "val" if int.from_bytes(digest[:8], "big") < config.split.val_fraction * 2**64 else "train"


def sides_of(label: Ints, splits: pa.ChunkedArray) -> tuple[list[str], Ints]:
    """Names of splits, and for each label the number of its samples' split: −1 without one, train if they are on two.

    Args:
        label: (N,) of `LinkedRows`.
        splits: of the N rows, '' for none.
    """
    names = pc.unique(splits).to_pylist()
    numbers = np.asarray(pc.index_in(splits, pa.array(names, splits.type)), np.int64)
    sides = np.full(int(label.max(initial=-1)) + 1, -1, np.int64)
    for wanted in (set(names) - {"", SPLITS[0]}, {SPLITS[0]} & set(names)):
        stated = np.isin(numbers, [names.index(name) for name in wanted])
        sides[label[stated]] = numbers[stated]
    return names, sides
