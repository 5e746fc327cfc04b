"""Rows put in another order on the disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from phq.building.finalise import ordered as module
from phq.building.finalise.ordered import ordered


@pytest.mark.parametrize("count", [0, 1, 10, 64])
def test_every_row_comes_at_its_place_and_no_file_stays(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUCKET", 10)
    place = np.random.default_rng(0).permutation(count)
    table = pa.table({"name": pa.array([f"row {n}" for n in range(count)], pa.string())})
    parts = [(table.slice(start, 7), place[start : start + 7]) for start in range(0, count, 7)]
    found = [name for part in ordered(parts, count, tmp_path / "new") for name in part["name"].to_pylist()]
    assert found == [f"row {n}" for n in np.argsort(place)]
    assert list((tmp_path / "new").iterdir()) == []
