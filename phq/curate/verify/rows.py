"""Rows of the manifest by shard."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from phq.dataset.folder import MANIFEST


class ManifestRows:
    """Reads the rows of one shard after the other, and only the row groups that contain them."""

    def __init__(self, folder: Path) -> None:
        with (folder / MANIFEST).open("rb") as stream:
            file = pq.ParquetFile(stream)
            groups = [file.read_row_group(i, ["shard"])["shard"] for i in range(file.num_row_groups)]
        self.path = folder / MANIFEST
        self._group = lru_cache(2)(self._read)  # the next shard goes on where this one ends
        self.groups = [frozenset(pc.unique(shards).to_pylist()) for shards in groups]

    def of(self, shard: str) -> list[dict[str, Any]]:
        """All fields of its rows, in the order of the manifest."""
        wanted = [number for number, shards in enumerate(self.groups) if shard in shards]
        tables = [self._group(number) for number in wanted]
        return [row for table in tables for row in table.filter(pc.equal(table["shard"], shard)).to_pylist()]

    def _read(self, group: int) -> pa.Table:
        with self.path.open("rb") as stream:
            return pq.ParquetFile(stream).read_row_group(group)
