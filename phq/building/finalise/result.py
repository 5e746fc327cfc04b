"""Rows of a dataset that has just been written, read when somebody asks for them."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from phq.building.finalise.settle import Settled
from phq.dataset.card import yaw_histogram
from phq.dataset.folder import MANIFEST
from phq.dataset.tables import read_table
from phq.decisions.rows import Fields, without_storage


class Written:
    """A dataset that stands.

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
        return self._rows("rejects.parquet")

    def _rows(self, name: str) -> list[Fields]:
        rows = read_table(self.out / name).to_pylist()
        return [{k: v for k, v in without_storage(row).items() if v is not None} for row in rows]


def said_of(settled: Settled, photos: int) -> dict[str, Any]:
    """Photos, people, kept, rejected by reason: "counts" of ``run.json``."""
    return {"photos": photos, **settled.counts()}


def sectors_of(settled: Settled) -> list[int]:
    """Kept people in each of the eight sectors of `phq.dataset.card.YAW_SECTORS`."""
    return yaw_histogram(settled.kept["camera_yaw_deg"].to_pylist())
