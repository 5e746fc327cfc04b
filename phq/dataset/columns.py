"""The columns of a revision of a dataset, each read on first use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from phq.dataset.overlays import TABLES, chosen, open_overlay, overlaid, positions
from phq.dataset.parquet import ParquetTable
from phq.dataset.root import Root


class Columns:
    """Rows of the manifest, followed by those of the rejects if asked for; numbered from 0.

    Where a key is in both (an exact copy was rejected), an overlay applies to the stored sample.

    Args:
        root: the dataset.
        overlays: names of the overlays to apply, bottom to top.
        rejects: append the rows of ``rejects.parquet``.

    Raises:
        InputError: a table cannot be used.
    """

    def __init__(self, root: Root, overlays: Sequence[str], rejects: bool) -> None:
        self._tables = [ParquetTable(root, name) for name in TABLES[: 1 + rejects]]
        self._overlays = [open_overlay(root, name) for name in overlays]
        self._loaded: dict[str, pa.ChunkedArray] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"_tables": self._tables, "_overlays": self._overlays, "_loaded": {}}

    def __len__(self) -> int:
        return sum(map(len, self._tables))

    @property
    def names(self) -> list[str]:
        """Names of all columns: those of the manifest, then those of overlays alone."""
        every = [name for table in (*self._tables[:1], *self._overlays) for name in table.names]
        return list(dict.fromkeys(every))

    @property
    def extra(self) -> list[str]:
        """Names of the columns that only overlays have."""
        return self.names[len(self._tables[0].names) :]

    @property
    def schema(self) -> pa.Schema:
        """Names and types of all columns."""
        fields = [table.schema.field(name) for table in (*self._overlays, *self._tables[:1]) for name in table.names]
        types = {field.name: field for field in fields}
        return pa.schema([types[name] for name in self.names])

    def table(self, names: Iterable[str]) -> pa.Table:
        """Columns by name, read if they have not been read before.

        Raises:
            KeyError: no such column.
            InputError: a table cannot be read.
        """
        wanted = list(names)
        self._load([name for name in dict.fromkeys(wanted) if name not in self._loaded])
        return pa.table({name: self._loaded[name] for name in wanted})

    def batches(self, names: Sequence[str]) -> Iterator[pa.Table]:
        """Columns by name, a group of rows at a time, none of which stays in memory.

        Raises:
            KeyError: no such column.
            InputError: a table cannot be read.
        """
        self._check(names)
        stored, start = [name for name in names if name in self._tables[0].names], 0
        for table in self._tables:
            for group in table.groups(stored or ["key"]):
                yield self._overlaid(group.select(stored), names, start, len(group))
                start += len(group)

    def _overlaid(self, group: pa.Table, names: Sequence[str], start: int, count: int) -> pa.Table:
        columns = dict(zip(group.column_names, group.columns, strict=True))
        for overlay, places in zip(self._overlays, self._places, strict=True):
            changed = [name for name in names if name in overlay.names and name != "key"]
            here = places[start : start + count]
            if not changed or (columns.keys() >= set(changed) and not (here >= 0).any()):
                continue
            taken, stated = overlay.take(changed, here), pa.chunked_array([pa.array(here, mask=here < 0)])
            for name in changed:
                columns[name] = chosen(columns.get(name), taken[name], stated)
        return pa.table({name: columns[name] for name in names})

    def _check(self, names: Iterable[str]) -> None:
        if unknown := [name for name in names if name not in self.names]:
            raise KeyError(f"the dataset has no column {', '.join(unknown)}")

    def values(self, row: int, names: Iterable[str]) -> dict[str, Any]:
        """One row of some columns, which are kept in memory as a whole."""
        wanted = list(names)
        self._load([name for name in wanted if name not in self._loaded])
        return {name: self._loaded[name][row].as_py() for name in wanted}

    def stored_row(self, row: int) -> dict[str, Any]:
        """One row of the manifest or the rejects, without overlays; null is None."""
        for table in self._tables:
            if row < len(table):
                return table.row(row)
            row -= len(table)
        raise IndexError(row)

    def changes(self, row: int) -> dict[str, Any]:
        """Values of one row that overlays replace; the later overlay wins."""
        changed: dict[str, Any] = {}
        for overlay, places in zip(self._overlays, self._places, strict=True):
            if (place := places.item(row)) >= 0:
                changed |= overlay.row(place)
        changed.pop("key", None)
        return changed

    def forget(self, names: Iterable[str]) -> None:
        """Free the memory of columns; they are read again on next use."""
        for name in names:
            self._loaded.pop(name, None)

    @cached_property
    def _places(self) -> list[NDArray[np.int32]]:
        """For each overlay, (rows,) the number of its row for each row, −1 where it has none."""
        return [places.fill_null(-1).to_numpy() for places in self._matches]

    @cached_property
    def _matches(self) -> list[pa.ChunkedArray]:
        manifest, *others = [table.read(["key"])["key"] for table in self._tables]
        chunks = [*manifest.chunks]
        for keys in others:
            chunks += pc.if_else(pc.is_in(keys, value_set=manifest), pa.scalar(None, keys.type), keys).chunks
        keys = pa.chunked_array(chunks, manifest.type)
        return [positions(keys, overlay.read(["key"])["key"]) for overlay in self._overlays]

    def _load(self, names: list[str]) -> None:
        """Read columns; two threads may both do so, with the same result."""
        self._check(names)
        stored = [name for name in names if name in self._tables[0].names]
        parts = [table.read(stored) for table in self._tables if stored]
        columns = {name: pa.chunked_array([c for part in parts for c in part[name].chunks]) for name in stored}
        for number, overlay in enumerate(self._overlays):
            changed = [name for name in names if name in overlay.names and name != "key"]
            for name, values in zip(changed, overlay.read(changed).columns if changed else [], strict=True):
                columns[name] = overlaid(columns.get(name), values, self._matches[number])
        self._loaded |= columns
