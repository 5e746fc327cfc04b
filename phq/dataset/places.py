"""Where the bytes of each sample are: in arrays, so that a million samples take some tens of megabytes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from phq.dataset.keys import key_array
from phq.dataset.layout import BLOCK
from phq.dataset.root import Root
from phq.dataset.tar import MEMBERS, STORAGE
from phq.errors import InputError

COLUMNS = ("key", *STORAGE)
"""Columns from which `Places` is made."""


class Places:
    """Reads members by row number.

    Args:
        root: the dataset.
        table: `COLUMNS`; a row without a shard has no bytes.

    Raises:
        InputError: a key is not 16 characters long.
    """

    def __init__(self, root: Root, table: pa.Table) -> None:
        self.root = root
        self.keys = key_array(table["key"], root.where)
        """Key of each row, empty where a reject never got one."""
        shards = table["shard"].fill_null("").dictionary_encode().unify_dictionaries().chunks
        self._shards: list[str] = shards[0].dictionary.to_pylist() if shards else []
        self._shard: NDArray[np.int32] = pa.chunked_array([c.indices for c in shards], pa.int32()).to_numpy()
        self._members = {
            member: (f".{member}\0".encode(), _numbers(table, f"{prefix}_offset"), _numbers(table, f"{prefix}_size"))
            for member, prefix in MEMBERS.items()
        }

    def stored(self, row: int) -> bool:
        """Whether the row has bytes in a shard."""
        return bool(self._shards[self._shard.item(row)])

    def read(self, row: int, member: str) -> bytes:
        """The stored bytes of a member; only they and the tar header, which must have its name, are read.

        Raises:
            InputError: there is no such member, nothing is stored for this row, or the shard is missing, cut off, or
                not the one that the manifest describes.
        """
        try:
            name, offsets, sizes = self._members[member]
        except KeyError:
            raise InputError(f"a sample has no member {member!r}; it has: {', '.join(MEMBERS)}") from None
        shard, size = self._shards[self._shard.item(row)], sizes.item(row)
        key: bytes = self.keys[row]
        if not shard:
            raise InputError(f"sample {key.decode()} was rejected: none of its bytes are stored")
        content = self.root.read(shard, offsets.item(row) - BLOCK, size + BLOCK)
        if len(content) == size + BLOCK and content.startswith(key + name):
            return content[BLOCK:]
        what = "is not the shard its manifest describes" if len(content) == size + BLOCK else "is cut off"
        raise InputError(f"{shard} of {self.root.where} {what}: no {member} of sample {key.decode()} at its place")

    def fields(self, row: int) -> dict[str, str | int]:
        """The storage columns of one row."""
        found: dict[str, str | int] = {"shard": self._shards[self._shard.item(row)]}
        for member, prefix in MEMBERS.items():
            _, offsets, sizes = self._members[member]
            found |= {f"{prefix}_offset": offsets.item(row), f"{prefix}_size": sizes.item(row)}
        return found


def _numbers(table: pa.Table, name: str) -> NDArray[np.int64]:
    numbers: NDArray[np.int64] = table[name].fill_null(0).to_numpy()
    return numbers
