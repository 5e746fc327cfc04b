"""Finding a key among many."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class KeyIndex:
    """Binary search in keys, which a dataset has in order; keys in another order are sorted once.

    Args:
        keys: n × S16; may repeat.
    """

    def __init__(self, keys: NDArray[np.bytes_]) -> None:
        self._order = None if bool((keys[:-1] <= keys[1:]).all()) else np.argsort(keys, kind="stable")
        self._keys = keys if self._order is None else keys[self._order]

    def find(self, key: str) -> int:
        """Number of the first that equals `key`, −1 if none does."""
        wanted = key.encode(errors="replace")  # a shell passes on bytes of any kind
        found = int(np.searchsorted(self._keys, wanted))
        if not wanted or found == len(self._keys) or self._keys[found] != wanted:
            return -1
        return found if self._order is None else int(self._order[found])
