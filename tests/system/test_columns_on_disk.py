"""Tables that grow on the disk column by column."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from phq.system.columns_on_disk import ColumnsOnDisk, batches

SCHEMA = pa.schema([
    pa.field("name", pa.string()), pa.field("number", pa.int64()),
    pa.field("pair", pa.list_(pa.float64()), metadata={"length": "2"}), pa.field("bytes", pa.large_binary()),
])  # fmt: skip
ROWS = pa.table(
    {
        "name": ["x", None, "äö", ""],
        "number": [1, None, 3, 4],
        "pair": [[1.0, 2.0], None, [3.0, 4.0], [5.0, 6.0]],
        "bytes": [b"1", None, b"22", b""],
    },
    schema=SCHEMA,
)


def test_what_was_appended_is_read_in_one_piece(tmp_path: Path) -> None:
    columns = ColumnsOnDisk(tmp_path / "new", SCHEMA)
    assert columns.table().num_rows == 0
    for part in (ROWS, ROWS.slice(1, 2), ROWS.slice(0, 0), pa.concat_tables([ROWS.slice(3), ROWS.slice(0, 1)])):
        columns.append(part)
    table = columns.table()
    table.validate(full=True)
    expected = ROWS.to_pylist()
    assert table.to_pylist() == [*expected, *expected[1:3], expected[3], expected[0]]
    assert len(columns) == len(table) == 8
    assert all(column.num_chunks == 1 for column in table.columns)
    assert [len(part) for part in batches(table, 3)] == [3, 3, 2]


def test_a_table_read_earlier_stays_as_it_was(tmp_path: Path) -> None:
    columns = ColumnsOnDisk(tmp_path, SCHEMA)
    columns.append(ROWS)
    before = columns.table()
    columns.append(ROWS)
    assert before.to_pylist() == ROWS.to_pylist()


def test_files_of_an_earlier_table_are_replaced(tmp_path: Path) -> None:
    ColumnsOnDisk(tmp_path, SCHEMA).append(ROWS)
    columns = ColumnsOnDisk(tmp_path, SCHEMA)
    columns.append(ROWS.slice(2, 1))
    assert columns.table().to_pylist() == ROWS.to_pylist()[2:3]


def test_a_list_of_another_length_is_refused(tmp_path: Path) -> None:
    wrong = ROWS.slice(0, 1).set_column(2, SCHEMA.field("pair"), pa.array([[1.0, 2.0, 3.0]]))
    with pytest.raises(ValueError, match="reshape"):
        ColumnsOnDisk(tmp_path, SCHEMA).append(wrong)
