"""Rows of a dataset that has just been written, read on demand."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from phq.dataset.folder import MANIFEST, REJECTS
from phq.dataset.tables import read_rows, without_storage
from phq.schema import Fields
from phq.system.atomic import disk_errors_explained


class Written:
    """A finished dataset.

    Args:
        out: its folder.
    """

    def __init__(self, out: Path) -> None:
        self.out = out

    @cached_property
    def kept(self) -> list[Fields]:
        """Rows of the manifest, without storage columns; all of them in memory."""
        return self._rows(MANIFEST)

    @cached_property
    def rejects(self) -> list[Fields]:
        """Rows of the rejects, without what was never computed; all of them in memory."""
        return self._rows(REJECTS)

    @disk_errors_explained
    def _rows(self, name: str) -> list[Fields]:
        return [without_storage(row) for row in read_rows([self.out / name])]
