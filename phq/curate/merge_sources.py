"""Several datasets opened for a merge: their rows with overlays applied, on the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from phq.curate.migrations import MIGRATIONS
from phq.curate.revision import Revision, without_places
from phq.dataset.root import Root
from phq.dataset.stored_rows import StoredRows
from phq.dataset.summary import COLUMNS as SUMMARISED
from phq.dataset.tables import arrow_schema, rows_table
from phq.dataset.tar import STORAGE
from phq.decisions.likeness import COMPARED, LIKENESS, compact, compared_schema
from phq.errors import InputError
from phq.schema import BOX, DECISION, Fields
from phq.system.arrays import Ints
from phq.system.columns_on_disk import ColumnsOnDisk, batches

_MUST_AGREE = {
    "schema_version": "are of different versions of the format",
    "camera_convention": "have cameras of different conventions",
    "image_size": "have pictures of different sizes",
}
CHANGED = ("source_path", "person_index", "split", "consent", *DECISION)
"""Fields that a merge changes."""
COLUMNS = tuple(
    dict.fromkeys(["key", *CHANGED, "source_sha256", *BOX, *_MUST_AGREE, *COMPARED, *SUMMARISED, *STORAGE[1:]])
)
"""Fields that a merge decides by, and that its descriptions are made of."""
_NUMBERS = tuple(name for name in COLUMNS if not pa.types.is_list(arrow_schema().field(name).type))
Edit = Callable[[pa.Table, int], pa.Table]
"""Takes some rows and the number of the first of them, and returns their new content."""


class Source:
    """One of the datasets.

    Args:
        path: folder or URL.
        revision: see `phq.dataset.overlays.names_up_to`.

    Raises:
        InputError: no dataset, or no such revision.
    """

    def __init__(self, path: str | Path, revision: str | None) -> None:
        self.root = Root(path)
        self.name = Path(self.root.where.rstrip("/")).resolve().name or "dataset"
        """Of the folder."""
        self.revision = _revision(self.root, revision)


def _revision(root: Root, name: str | None) -> Revision:
    try:
        return Revision(root, name, MIGRATIONS)
    except InputError as error:  # among several datasets "no overlay" says too little
        raise error if root.where in str(error) else InputError(f"{root.where}: {error}") from error


class Part:
    """Rows of all datasets, one after the other: those that are kept, or those that are not.

    Args:
        folder: of the files.
        sources: so many datasets.
    """

    def __init__(self, folder: Path, sources: int) -> None:
        self.rows = StoredRows(folder / "rows", _NUMBERS)
        self._folder = folder
        self._counts = [0] * sources
        self._written = 0
        self._table: pa.Table | None = None

    def extend(self, source: int, rows: Iterable[Fields]) -> None:
        """Add rows of a dataset, the datasets in order."""
        before = len(self.rows)
        self.rows.extend(rows)
        self._counts[source] += len(self.rows) - before

    @property
    def source(self) -> Ints:
        """(N,) number of the dataset of each row."""
        return np.repeat(np.arange(len(self._counts)), self._counts)

    @property
    def table(self) -> pa.Table:
        """`COLUMNS` but for lists, as changed so far."""
        return self.rows.table() if self._table is None else self._table

    def change(self, edit: Edit) -> None:
        """Change columns of all rows, some at a time."""
        known = arrow_schema()
        new = ColumnsOnDisk(self._folder / f"{self._written}", pa.schema([known.field(name) for name in _NUMBERS]))
        start = 0
        for table in batches(self.table):
            new.append(edit(table, start))
            start += len(table)
        self._table, self._written = new.table(), self._written + 1


class Sources:
    """The datasets, and all their rows.

    Args:
        paths: folders or URLs.
        revision: see `Source`.
        scratch: folder for the rows.

    Raises:
        InputError: no dataset, no such revision, or datasets that do not fit together, with the reason.
    """

    def __init__(self, paths: Sequence[str | Path], revision: str | None, scratch: Path) -> None:
        self.all = [Source(path, revision) for path in paths]
        self.kept = Part(scratch / "kept", len(self.all))
        self.rejects = Part(scratch / "rejects", len(self.all))
        self.likeness = ColumnsOnDisk(scratch / "likeness", compared_schema())
        """`COMPARED` and `COMPACT` of those that are kept, as their datasets have them."""
        for number, source in enumerate(self.all):
            self.kept.extend(number, self._stored(number, source.revision))
        for column, why in _MUST_AGREE.items():
            self._agree(column, why)

    def _stored(self, number: int, revision: Revision) -> Iterator[Fields]:
        """Kept rows of a dataset; its others go where they belong."""
        self.rejects.extend(number, revision.rejects())
        for some in revision.parts():
            kept = [row for row in some if row["decision"] == "kept"]
            self.rejects.extend(number, (without_places(row) for row in some if row["decision"] != "kept"))
            if kept:
                self.likeness.append(compact(rows_table(kept, LIKENESS)).select(self.likeness.schema.names))
            yield from kept

    def parts(self) -> tuple[Part, Part]:
        """(kept, rejects)."""
        return self.kept, self.rejects

    def _agree(self, column: str, why: str) -> None:
        found: dict[object, Source] = {}
        for number, source in enumerate(self.all):
            for value in pc.unique(self.kept.table[column].filter(self.kept.source == number)).to_pylist():
                found.setdefault(value, source)
        if len(found) > 1:
            (one, first), (other, second) = list(found.items())[:2]
            where = " and ".join(dict.fromkeys((first.root.where, second.root.where)))
            raise InputError(f"{where} {why} ({one} and {other}): they cannot be merged")
