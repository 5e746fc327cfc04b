"""Rows on the disk are the rows that were added, with what replaces their fields."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from labelled_samples import labelled_sample

from phq.dataset import stored_rows
from phq.dataset.keys import KeyIndex, key_array
from phq.dataset.stored_rows import ChosenRows, StoredRows, column_batches
from phq.errors import InputError


@pytest.fixture
def rows() -> list[dict[str, object]]:
    return [labelled_sample(number).row for number in range(5)] + [{"source_path": "bad.jpg", "reason": "truncated"}]


def test_rows_come_back_whole_and_by_column(tmp_path: Path, rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_rows, "_TOGETHER", 2)
    stored = StoredRows(tmp_path, ("key", "source_path", "blur"))
    stored.extend(rows[:3])
    assert stored[2] == rows[2]
    stored.extend(rows[3:])
    assert list(stored) == rows and stored.table().column_names == ["key", "source_path", "blur"]
    for source in (stored, rows):  # the same of rows in memory
        (table,) = column_batches(source, ("key", "blur"))
        assert table.to_pydict() == {name: [row.get(name) for row in rows] for name in ("key", "blur")}


def test_chosen_rows_have_the_new_fields(tmp_path: Path, rows) -> None:
    stored = StoredRows(tmp_path, ("key", "source_path", "blur"))
    stored.extend(rows)
    columns = stored.table().set_column(1, "source_path", [[f"new/{number}" for number in range(5)] + [None]])
    chosen = ChosenRows(stored, np.array([5, 2]), columns, ("source_path",))
    assert list(chosen) == [{"reason": "truncated"}, rows[2] | {"source_path": "new/2"}]
    assert [table.to_pylist() for table in chosen.batches(["source_path"])] == [
        [{"source_path": None}, {"source_path": "new/2"}]
    ]


def test_keys_are_found_in_any_order(tmp_path: Path, rows) -> None:
    stored = StoredRows(tmp_path, ("key", "source_path"))
    stored.extend(rows)
    keys = key_array(stored.table()["key"], "here")
    assert keys[5] == b"" and keys[1].decode() == rows[1]["key"]
    index = KeyIndex(keys)
    assert index.find_all(keys).tolist() == [0, 1, 2, 3, 4, -1]
    assert index.find("a key that is longer than keys are") == index.find("") == KeyIndex(keys[:0]).find("a") == -1
    with pytest.raises(InputError, match="here are damaged"):
        key_array(stored.table()["source_path"], "here")
