"""`Dataset`: random access to the samples of a finished dataset by number, key or filter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from operator import index as to_int
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from phq.dataset.columns import Columns
from phq.dataset.filters import matching, named_columns
from phq.dataset.folder import MANIFEST, RUN, SPLITS, unfinished
from phq.dataset.item import Item
from phq.dataset.keys import KeyIndex
from phq.dataset.notebook import contact_sheet, evenly
from phq.dataset.overlays import LATEST, names_up_to
from phq.dataset.places import COLUMNS, Places
from phq.dataset.root import Root
from phq.dataset.run import read_run
from phq.errors import InputError
from phq.system.journal import recover


class NoSuchIndexError(InputError, IndexError):
    """There is no sample with this number."""


class NoSuchKeyError(InputError, KeyError):
    """There is no sample with this key."""

    __str__ = Exception.__str__  # KeyError shows the representation of its text


class Dataset:
    """Samples of a dataset in its order, with its overlays applied; a view of it if filtered.

    Opening reads only the storage columns, splits and decisions. Safe to use from several
    threads and after a fork; pickled, it carries its list of samples along and opens its files again.

    Args:
        path: the dataset's folder, or a URL of any file system fsspec knows; or its opened root.
        split: ``train``, ``val`` or a split named by an overlay; None for all.
        revision: what to read: ``none`` or None (as built), the name of an overlay, or ``latest``.
        where: a condition over the columns, see `phq.dataset.filters.matching`.
        rejects: include rejects: samples that an overlay has rejected, in their place, and after all others the rows
            of ``rejects.parquet``, of which no bytes are stored.

    Raises:
        InputError: this is not a finished dataset of this version of the format, there is no such split or revision, or
            the condition is not valid.
        MissingExtraError: the path is a URL and fsspec is not installed.
    """

    def __init__(
        self,
        path: str | Path | Root,
        *,
        split: str | None = None,
        revision: str | None = LATEST,
        where: str | None = None,
        rejects: bool = False,
    ) -> None:
        self.root = path if isinstance(path, Root) else Root(path)
        check_dataset(self.root)
        self.run = read_run(self.root)
        """Content of ``run.json``."""
        self.overlays = names_up_to(self.run, revision)
        """Names of the overlays that are applied, bottom to top."""
        self._columns = Columns(self.root, self.overlays, rejects)
        self._places, self._rows = self._open(split, rejects)
        pa.default_memory_pool().release_unused()  # of a million rows, half the memory that opening has taken
        if where is not None:
            self._rows = self._matching(where)

    def __repr__(self) -> str:
        return f"Dataset({self.root.where!r}, {len(self)} samples, overlays {self.overlays})"

    def _repr_html_(self) -> str:
        """Some of its samples as pictures, for notebooks."""
        return contact_sheet((self[i] for i in evenly(len(self))), f"{len(self)} samples")

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, which: int | str | np.integer[Any]) -> Item: ...
    @overload
    def __getitem__(self, which: slice) -> Dataset: ...
    def __getitem__(self, which: int | str | np.integer[Any] | slice) -> Item | Dataset:
        """A sample by number (negative from the end) or key; a slice gives a view.

        Raises:
            NoSuchIndexError: out of range; an IndexError.
            NoSuchKeyError: no sample has this key; a KeyError.
            TypeError: neither number, key nor slice.
        """
        if isinstance(which, slice):
            return self._view(self._rows[which])
        return Item(self._columns, self._places, self._row(which))

    def __iter__(self) -> Iterator[Item]:
        return (Item(self._columns, self._places, row) for row in self._rows.tolist())

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._keys.find(key) >= 0

    def read(self, which: int | str | np.integer[Any], member: str = "jpg") -> bytes:
        """``ds[which].read(member)`` without making an `Item`."""
        return self._places.read(self._row(which), member)

    def index_of(self, key: str) -> int:
        """Number of the sample with this key; the first, if it was selected more than once.

        Raises:
            NoSuchKeyError: no sample has it.
        """
        if (found := self._keys.find(key)) < 0:
            raise NoSuchKeyError(f"{self.root.where} has no sample {key!r} among these {len(self)}")
        return found

    @property
    def keys(self) -> list[str]:
        """Key of each sample, in order."""
        return [key.decode() for key in self._places.keys[self._rows].tolist()]

    @cached_property
    def table(self) -> pa.Table:
        """All columns with the overlays applied, one row per sample, in order; read on first use and kept."""
        return self.columns(self._columns.names)

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Some of the columns of `table`, without reading the others.

        Raises:
            KeyError: no such column.
        """
        table = self._columns.table(names)
        return table if np.array_equal(self._rows, np.arange(len(table))) else table.take(self._rows)

    def batches(self, names: Sequence[str]) -> Iterator[pa.Table]:
        """`columns` some rows at a time, of which none stay in memory; for samples in the order of the dataset.

        Raises:
            KeyError: no such column.
            ValueError: the samples are a selection in another order.
        """
        if (np.diff(self._rows) < 0).any():
            raise ValueError("samples in another order than the dataset's can only be read at once")
        start = 0
        for table in self._columns.batches(names):
            rows = self._rows[slice(*np.searchsorted(self._rows, [start, start + len(table)]))] - start
            start += len(table)
            if len(rows):
                yield table if len(rows) == len(table) else table.take(rows)

    def filter(self, where: str) -> Dataset:
        """A view of the samples for which a condition over the columns holds, see `phq.dataset.filters.matching`.

        Raises:
            InputError: it is not a valid condition; the message names the nearest columns.
        """
        return self._view(self._matching(where))

    def select(self, indices: ArrayLike) -> Dataset:
        """A view of some samples.

        Args:
            indices: (n,) numbers, in any order and possibly repeated, or (samples,) booleans.

        Raises:
            NoSuchIndexError: a number is out of range.
            TypeError: they are neither whole numbers nor booleans.
        """
        chosen = np.asarray(indices)
        if chosen.size == 0:
            chosen = chosen.astype(np.int64)
        if chosen.ndim != 1 or chosen.dtype.kind not in "iub":
            raise TypeError(f"select takes a list of whole numbers, not {indices!r}")
        try:
            return self._view(self._rows[chosen])
        except IndexError as error:
            raise NoSuchIndexError(f"{self.root.where} has {len(self)} samples here: {error}") from error

    def _view(self, rows: NDArray[np.int64]) -> Dataset:
        view = object.__new__(Dataset)
        view.__dict__ = self.__getstate__() | {"_rows": rows}
        return view

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("table", "_keys")}

    def _open(self, split: str | None, rejects: bool) -> tuple[Places, NDArray[np.int64]]:
        table = self._columns.table([*COLUMNS, "split", "decision"])
        self._columns.forget(table.column_names)
        return Places(self.root, table), _chosen(table, split, rejects)

    def _matching(self, where: str) -> NDArray[np.int64]:
        # first on an empty table of all columns, so that errors name the nearest column
        matching(self._columns.schema.empty_table(), where)
        named = named_columns(self._columns.names, where)
        return self._rows[matching(self.columns(named or ["key"]), where)]

    def _row(self, which: int | str | np.integer[Any]) -> int:
        if isinstance(which, str):
            which = self.index_of(which)
        number, count = to_int(which), len(self._rows)
        if not -count <= number < count:
            raise NoSuchIndexError(f"{self.root.where} has {count} samples here, no number {number}")
        return self._rows.item(number)

    @cached_property
    def _keys(self) -> KeyIndex:
        return KeyIndex(self._places.keys[self._rows])


def check_dataset(root: Root) -> None:
    """Check that this is a finished dataset of whose files parts can be read.

    Raises:
        InputError: it is not.
    """
    if root.local is not None and root.staged is None:
        _check_local(root.local)
    root.read(RUN, 0, 1)  # a server without HTTP ranges would send whole shards: fail now


def _check_local(folder: Path) -> None:
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder: a dataset is a folder with manifest.parquet in it")
    recover(folder)
    if (folder / MANIFEST).is_file():
        return
    if begun := unfinished(folder):
        raise InputError(begun)
    raise InputError(f"{folder} is not a dataset of phq: it has no {MANIFEST}")


def _chosen(table: pa.Table, split: str | None, rejects: bool) -> NDArray[np.int64]:
    """Numbers of the rows in the split that are kept, or of all with `rejects`."""
    chosen = np.ones(len(table), bool) if rejects else _mask(pc.equal(table["decision"], "kept"))
    return np.flatnonzero(chosen if split is None else chosen & _in_split(table["split"], split))


def _in_split(splits: pa.ChunkedArray, split: str) -> NDArray[np.bool_]:
    chosen = _mask(pc.equal(splits, split))
    if not chosen.any() and split not in SPLITS:
        known = ", ".join(sorted({*SPLITS, *filter(None, pc.unique(splits).to_pylist())}))
        raise InputError(f"the dataset has no split {split!r}; it has: {known}")
    return chosen


def _mask(chosen: pa.ChunkedArray) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = pc.fill_null(chosen, False).to_numpy()
    return mask
