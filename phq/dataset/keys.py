"""Keys of samples in one piece of memory, and the search in them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from phq.errors import InputError
from phq.system.arrays import Ints

Keys = NDArray[np.bytes_]
"""Of type S16."""


def key_array(keys: pa.ChunkedArray, where: str) -> Keys:
    """(N,) keys, empty where there is none.

    Args:
        keys: (N,) texts.
        where: the dataset, as the error names it.

    Raises:
        InputError: one is not 16 characters long.
    """
    try:
        chunks = keys.fill_null("\0" * 16).cast(pa.binary()).cast(pa.binary(16)).chunks
    except pa.ArrowInvalid as error:
        raise InputError(f"the tables of {where} are damaged: {error}") from error
    joined = [np.frombuffer(c.buffers()[1], "S16", len(c), 16 * c.offset) for c in chunks if len(c)]
    return np.concatenate(joined) if joined else np.empty(0, "S16")


class KeyIndex:
    """Binary search in keys; those of a view, in another order than the dataset, are sorted once.

    Args:
        keys: (n,) may repeat.
    """

    def __init__(self, keys: Keys) -> None:
        self._order = None if bool((keys[:-1] <= keys[1:]).all()) else np.argsort(keys, kind="stable")
        self._keys = keys if self._order is None else keys[self._order]

    def find(self, key: str) -> int:
        """Number of the first that equals `key`, −1 if none does."""
        return int(self.find_all(np.array([key.encode(errors="replace")]))[0])  # a shell's argument may be any bytes

    def find_all(self, wanted: Keys) -> Ints:
        """(m,) number of the first that equals each, −1 where none does."""
        if not len(self._keys):
            return np.full(len(wanted), -1, np.int64)
        found = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        there = (self._keys[found] == wanted) & (wanted != b"")
        return np.where(there, found if self._order is None else self._order[found], -1)
