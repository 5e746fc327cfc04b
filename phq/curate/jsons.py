"""The json members of a new dataset, encoded once: their sizes are needed before the shards can be planned."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from phq.curate.revision import encoded
from phq.dataset.keys import KeyIndex, key_array
from phq.schema import Fields
from phq.system.columns_on_disk import ColumnsOnDisk


class Jsons:
    """The json of each sample, on the disk; in memory are 16 bytes a sample.

    Args:
        folder: of the files, made if needed.
    """

    def __init__(self, folder: Path) -> None:
        self._stored = ColumnsOnDisk(folder, pa.schema([("key", pa.string()), ("json", pa.large_binary())]))

    def add(self, rows: Sequence[Fields]) -> list[int]:
        """Encode some rows; the sizes of their jsons.

        Raises:
            pydantic.ValidationError: a record breaks the schema.
        """
        members = [encoded(row) for row in rows]
        columns = pa.array([row["key"] for row in rows], pa.string()), pa.array(members, pa.large_binary())
        self._stored.append(pa.table(columns, ["key", "json"]))
        return [len(member) for member in members]

    def read(self, key: str) -> bytes:
        """The json of a sample, after the last `add`."""
        member: bytes = self._members[self._index.find(key)].as_py()
        return member

    @cached_property
    def _members(self) -> pa.ChunkedArray:
        return self._stored.table()["json"]

    @cached_property
    def _index(self) -> KeyIndex:
        return KeyIndex(key_array(self._stored.table()["key"], "the new dataset"))
