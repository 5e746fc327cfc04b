"""Which samples must stay on one side of a split: of one photo, video, person, scene or face, and look-alikes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from phq.config.build import Config
from phq.dataset.statements import names_of
from phq.photos.frame_names import MARK, frame_of
from phq.schema import GROUPS
from phq.system.arrays import Ints

LINKS = ("key", "source_path", "source_sha256", "identity", *GROUPS)
"""Columns that link samples."""


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
    rows, names = _shared(table, identity)
    keys = pc.binary_join_element_wise("group:", table["key"], "")
    named = np.flatnonzero(np.asarray(pc.is_in(keys, value_set=pa.array(sorted(set(names)), pa.string()))))
    rows, names = [*rows, *named.tolist()], [*names, *keys.take(pa.array(named)).to_pylist()]
    photo, photos = _photos(table)
    numbers = {name: number for number, name in enumerate(sorted(set(names), key=_identity_first), photos)}
    ends = np.array([numbers[name] for name in names], np.int64)
    label = linked(photo[np.array(rows, np.int64)], ends, photos + len(numbers))
    first: dict[int, str] = {}
    for name, number in numbers.items():
        first.setdefault(int(label[number]), name)
    alone = pc.if_else(pc.greater(pc.fill_null(table["source_sha256"], ""), ""), table["source_sha256"], table["key"])
    texts = zip(label[photo].tolist(), alone.to_pylist(), strict=True)
    return [first.get(number, own or "") for number, own in texts]


def linked(one: Ints, other: Ints, size: int) -> Ints:
    """(size,) numbers from 0, equal for nodes that edges join, directly or through others.

    Args:
        one: (E,) nodes that the edges begin at.
        other: (E,) nodes that they end at.
        size: number of nodes.
    """
    graph = coo_array((np.ones(len(one), bool), (one, other)), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _identity_first(name: str) -> tuple[bool, str]:
    return name.startswith("group:"), name


def _shared(table: pa.Table, identity: bool) -> tuple[list[int], list[str]]:
    """(row, name) of everything that a row names: people, videos, and keys of other samples."""
    rows: list[int] = []
    names: list[str] = []
    for column in GROUPS:
        there = np.flatnonzero(np.asarray(pc.greater(pc.fill_null(table[column], ""), "")))
        rows += there.tolist()
        names += [f"group:{key}" for key in table[column].take(pa.array(there)).to_pylist()]
    for row, text in enumerate(table["identity"].to_pylist() if identity else ()):
        for name in names_of(text) if text else ():
            rows.append(row)
            names.append(f"identity:{name}")
    paths = pc.fill_null(table["source_path"], "")
    frames = np.flatnonzero(np.asarray(pc.match_substring(paths, MARK)))
    for row, path in zip(frames.tolist(), paths.take(pa.array(frames)).to_pylist(), strict=True):
        if frame := frame_of(path):
            rows.append(row)
            names.append(f"video:{frame[0]}")
    return rows, names


def _photos(table: pa.Table) -> tuple[Ints, int]:
    """(N,) the same number for rows of one photo, another for each row without a hash; and how many numbers."""
    hashes = table["source_sha256"].combine_chunks()
    hashes = pc.if_else(pc.equal(hashes, ""), pa.scalar(None, pa.string()), hashes)
    codes = np.asarray(pc.fill_null(pc.dictionary_encode(hashes).indices, -1), np.int64)
    unknown = codes < 0
    first = int(codes.max(initial=-1)) + 1
    codes[unknown] = first + np.arange(unknown.sum())
    return codes, first + int(unknown.sum())


def split_of(group: str, config: Config) -> str:
    """train or val, by a hash of the group (see `split_groups`) and the seed."""
    digest = hashlib.sha256(f"{config.seed}:{group}".encode()).digest()
    return "val" if int.from_bytes(digest[:8], "big") < config.split.val_fraction * 2**64 else "train"


def sides_of(groups: Iterable[str], splits: Iterable[str]) -> dict[str, str]:
    """By group the split of its samples that have one; train if they are on both sides."""
    sides: dict[str, str] = {}
    for group, split in zip(groups, splits, strict=True):
        if split:
            sides[group] = "train" if "train" in (split, sides.get(group)) else split
    return sides


def assign_splits(groups: list[str], sides: Mapping[str, str], config: Config) -> list[str]:
    """Split of each row: that of the samples it is linked to, else `split_of` its group."""
    return [sides.get(group) or split_of(group, config) for group in groups]
