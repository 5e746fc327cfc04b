"""manifest.parquet and rejects.parquet."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_datasets import STORAGE, tiny_sample

from phq.dataset.folder import check_folder
from phq.dataset.tables import arrow_schema, read_table, row_tables, write_rows, write_table
from phq.errors import OutputError
from phq.schema import Row


def full_row(number: int) -> dict[str, Any]:
    return tiny_sample(number).row | dict.fromkeys(STORAGE[1:], number) | {"shard": "train/a.tar"}


ROWS = [full_row(n) for n in range(7)]


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    write_table(tmp_path / "m.parquet", iter(ROWS), complete=True)
    table = read_table(tmp_path / "m.parquet")
    assert table.schema.equals(arrow_schema(), check_metadata=True)
    assert table.to_pylist() == ROWS


def test_columns_are_those_of_the_record_with_their_descriptions() -> None:
    schema = arrow_schema()
    assert schema.names == list(Row.model_fields)
    assert all(field.metadata[b"description"] for field in schema)
    assert (schema.field("key").type, schema.field("jpg_offset").type) == (pa.string(), pa.int64())
    assert (schema.field("blur").type, schema.field("face_found").type) == (pa.float64(), pa.bool_())
    assert schema.field("cam2world").type == pa.list_(pa.float64())
    assert schema.field("pose_observed").type == pa.list_(pa.bool_())
    assert schema.field("cam2world").metadata[b"length"] == b"16"


def test_row_groups_do_not_change_the_rows(tmp_path: Path) -> None:
    with (tmp_path / "m.parquet").open("wb") as stream:
        write_rows(stream, ROWS, complete=True, group=3)
    assert pq.ParquetFile(tmp_path / "m.parquet").num_row_groups == 3
    assert read_table(tmp_path / "m.parquet").to_pylist() == ROWS


def test_same_rows_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_table(tmp_path / name, ROWS, complete=True)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_arrays_are_flattened_and_rounded_as_in_the_json(tmp_path: Path) -> None:
    row = {"cam2world": np.full((4, 4), 1 / 3), "blur": np.float32(0.5), "has_focal": np.bool_(True)}
    write_table(tmp_path / "r.parquet", [row], complete=False)
    (found,) = read_table(tmp_path / "r.parquet").to_pylist()
    assert (found["cam2world"], found["blur"], found["has_focal"]) == ([0.333333333] * 16, 0.5, True)


@pytest.mark.parametrize("name", ["cam2world", "key", "mask_size"])
def test_the_manifest_lacks_nothing(tmp_path: Path, name: str) -> None:
    without = {k: v for k, v in full_row(1).items() if k != name}
    for row in (without, without | {name: None}):
        with pytest.raises(ValueError, match=name):
            write_table(tmp_path / "m.parquet", [full_row(0), row], complete=True)
    assert list(tmp_path.iterdir()) == []


def test_a_reject_has_null_for_what_was_not_computed(tmp_path: Path) -> None:
    rows = [{"source_path": "a.jpg", "reason": "bad"}, {"source_path": "b.jpg", "cam2world": [0.0] * 16}]
    write_table(tmp_path / "r.parquet", rows, complete=False)
    found = read_table(tmp_path / "r.parquet").to_pylist()
    assert [{k: v for k, v in row.items() if v is not None} for row in found] == rows
    query = f"SELECT source_path FROM '{tmp_path}/r.parquet' WHERE cam2world IS NULL"
    assert duckdb.sql(query).fetchall() == [("a.jpg",)]


WRONG = {
    "cam2world": [1.0] * 15,
    "smpl_betas": ["x"] * 10,
    "no_such_field": 1,
    "image_width": 1.5,
    "key": 5,
    "blur": [0.5],
    "has_focal": 1,
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_field_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        write_table(tmp_path / "r.parquet", [{name: WRONG[name]}], complete=False)


@pytest.mark.parametrize("name", ["cam2world", "image_width"])
def test_of_many_values_the_wrong_one_is_shown(tmp_path: Path, name: str) -> None:
    wrong = full_row(1) | {name: WRONG[name]}
    for stored in (False, True):
        with pytest.raises(ValueError, match=re.escape(f"field {name} is {WRONG[name]!r}, expected ")):
            list(row_tables([full_row(0), wrong, full_row(2)], complete=True, stored=stored))


def test_rows_that_were_stored_are_taken_as_they_are() -> None:
    rows = [json.loads(json.dumps(row)) for row in ROWS]
    (new,), (stored,) = (list(row_tables(rows, complete=True, stored=stored)) for stored in (False, True))
    assert stored.equals(new)
    assert stored.to_pylist() == ROWS


def test_no_rows_give_an_empty_table_of_the_right_schema(tmp_path: Path) -> None:
    write_table(tmp_path / "m.parquet", [], complete=True)
    table = read_table(tmp_path / "m.parquet")
    assert (table.num_rows, table.schema) == (0, arrow_schema())
    query = f"SELECT count(*), max(camera_yaw_deg) FROM '{tmp_path}/m.parquet'"
    assert duckdb.sql(query).fetchall() == [(0, None)]


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match="disk is full"):
        write_table(tmp_path / "m.parquet", ROWS, complete=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow no such names")
def test_a_folder_whose_name_is_no_utf_8(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"o\xff")
    write_table(folder / "manifest.parquet", [], complete=True)
    assert read_table(folder / "manifest.parquet").num_rows == 0
    check_folder(folder)
