"""What the card and ``croissant.json`` say of a dataset's rows, counted a few rows at a time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike

from phq.dataset.credits import MOST, most_first, stated_as
from phq.dataset.statements import names_of
from phq.schema import PROVENANCE

COLUMNS = ("split", "camera_yaw_deg", *PROVENANCE)
"""Columns of the kept rows that are counted; of the rejects ``reason``."""
CREDITS = ("licence", "author", "source")


class Summary:
    """Counts over rows; in memory are the different values.

    Args:
        kept: tables of rows of the manifest, with `COLUMNS`.
        rejects: tables of rows of the rejects, with ``reason``.
    """

    def __init__(self, kept: Iterable[pa.Table] = (), rejects: Iterable[pa.Table] = ()) -> None:
        self._credits = {name: Counter[str]() for name in CREDITS}
        self._identities = 0
        self._splits: defaultdict[str, set[str]] = defaultdict(set)
        self.sectors = [0] * 8
        """Kept rows in each sector, see `yaw_histogram`."""
        self.consent = Counter[str]()
        """Kept rows by what is stated about consent."""
        self.reasons = Counter[str]()
        """Rejects by reason."""
        for table in kept:
            self._add(table)
        for table in rejects:
            self.reasons.update({str(value): count for value, count in _counts(table["reason"])})

    def _add(self, table: pa.Table) -> None:
        sectors = yaw_histogram(table["camera_yaw_deg"].to_numpy())
        self.sectors = [old + new for old, new in zip(self.sectors, sectors, strict=True)]
        for name in CREDITS:
            for value, count in _counts(table[name]):
                self._credits[name][stated_as(name, value or "")] += count
        self.consent.update({value or "": count for value, count in _counts(table["consent"])})
        stated = table.filter(pc.greater(pc.binary_length(pc.fill_null(table["identity"], "")), 0))
        self._identities += len(stated)
        for identity, split in zip(*(stated[name].to_pylist() for name in ("identity", "split")), strict=True):
            for person in names_of(identity):
                self._splits[person].add(split)

    def credits(self, name: str) -> list[tuple[str, int]]:
        """(value, samples) of `CREDITS`, as `phq.dataset.credits.counted` gives them."""
        return most_first(self._credits[name])

    @property
    def licences(self) -> list[str]:
        """See `licences`."""
        return _licences(self._credits["licence"])

    @property
    def states_provenance(self) -> bool:
        """Whether anything is stated about any row."""
        counts = (self.consent, *self._credits.values())
        return self._identities > 0 or any(value for values in counts for value in values)

    def people(self) -> tuple[int, int]:
        """People told apart by ``identity``, and those of them who are in two splits."""
        return len(self._splits), sum(len(splits) > 1 for splits in self._splits.values())


def licences(rows: pa.Table) -> list[str]:
    """Every licence stated, most frequent first, at most `MOST`; [] if none is.

    Args:
        rows: ``licence``, and any other columns.
    """
    return _licences({value or "": count for value, count in _counts(rows["licence"])})


def _licences(counts: Mapping[str, int]) -> list[str]:
    return [licence for licence, _ in most_first(counts) if licence][:MOST]


def _counts(column: pa.ChunkedArray) -> list[tuple[Any, int]]:
    return [(entry["values"], entry["counts"]) for entry in pc.value_counts(column).to_pylist()]


def yaw_histogram(yaws: ArrayLike) -> list[int]:
    """Samples in each of eight sectors of 45°, centred on −180, −135, … 135 degrees."""
    sector = ((np.asarray(yaws, np.float64) + 202.5) // 45).astype(np.int64) % 8
    return [int(count) for count in np.bincount(sector, minlength=8)]
