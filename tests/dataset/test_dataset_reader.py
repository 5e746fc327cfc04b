"""`phq.Dataset`: what was written is what is read, by number, key or condition, from anywhere."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from reader_dataset import HALF, KEYS, REJECT, SAMPLES, as_written, by_key
from tiny_datasets import tiny_samples, write_tiny

from phq.dataset.parquet import ParquetTable
from phq.dataset.reader import Dataset
from phq.errors import InputError
from phq.schema import Row, Sample


def test_every_sample_is_read_as_it_was_written(where: str) -> None:
    dataset = Dataset(where)
    assert len(dataset) == len(SAMPLES)
    assert dataset.keys == KEYS
    for item, sample, row in zip(dataset, SAMPLES, dataset.table.to_pylist(), strict=True):
        assert item.key == sample.row["key"]
        assert {name: item.read(name) for name in sample.members} == sample.members
        assert item.encoded() == sample.members
        assert item.sample == Sample.model_validate_json(sample.members["json"])
        assert as_written(sample, item.row)
        assert item.row == row
        np.testing.assert_array_equal(item.image, Image.open(io.BytesIO(sample.members["jpg"])))
        np.testing.assert_array_equal(item.mask, Image.open(io.BytesIO(sample.members["mask.png"])))


def test_pictures_are_arrays_of_bytes_that_can_be_changed(heads: Path) -> None:
    item = Dataset(heads)[0]
    assert (item.image.shape, item.image.dtype, item.mask.shape) == ((64, 64, 3), np.uint8, (64, 64))
    image = item.image
    image[:] = 0
    assert item.image.any()


def test_numbers_keys_and_slices(heads: Path) -> None:
    dataset = Dataset(heads)
    last = len(KEYS) - 1
    for number in (last, -1, np.int64(last), np.uint8(last), np.arange(len(KEYS))[-1]):
        assert dataset[number].key == KEYS[-1]
    assert [dataset.index_of(key) for key in KEYS] == list(range(len(KEYS)))
    assert [dataset[key].key for key in KEYS] == KEYS
    assert dataset.read(KEYS[3], "json") == dataset.read(3, "json") == SAMPLES[3].members["json"]
    for part in (slice(2, 5), slice(None, None, -1), slice(-3, None), slice(50, 60)):
        assert dataset[part].keys == KEYS[part]
    assert KEYS[2] in dataset
    assert "f" * 17 not in dataset
    assert KEYS[2] not in dataset[3:]


@pytest.mark.parametrize("number", [len(KEYS), -len(KEYS) - 1, np.int64(99)])
def test_a_number_out_of_range_is_an_index_error(heads: Path, number: int) -> None:
    with pytest.raises(IndexError, match="has 19 samples here, no number"):
        Dataset(heads)[number]


@pytest.mark.parametrize("key", ["", "0" * 16, "f" * 16, KEYS[0][:15], KEYS[0] + "0", "é", "\udce9"])
def test_an_unknown_key_is_a_key_error_in_a_plain_sentence(heads: Path, key: str) -> None:
    dataset = Dataset(heads, rejects=key == "")  # one reject has no key
    with pytest.raises(KeyError) as caught:
        dataset[key]
    assert isinstance(caught.value, InputError)
    assert str(caught.value) == f"{heads} has no sample {key!r} among these {len(dataset)}"


@pytest.mark.parametrize("which", [1.0, None, [1], (0, 1)])
def test_what_is_neither_number_nor_key_is_a_type_error(heads: Path, which: Any) -> None:
    with pytest.raises(TypeError):
        Dataset(heads)[which]


def test_select_keeps_order_and_repetitions(heads: Path) -> None:
    dataset = Dataset(heads)
    chosen = dataset.select([5, 2, 2, -1])
    assert chosen.keys == [KEYS[5], KEYS[2], KEYS[2], KEYS[-1]] == [item.key for item in chosen]
    assert chosen.index_of(KEYS[2]) == 1
    assert chosen.table["key"].to_pylist() == chosen.keys
    assert chosen.select(np.array([1, 0], np.uint16)).keys == [KEYS[2], KEYS[5]]
    assert dataset.select(np.array(KEYS) > KEYS[4]).keys == KEYS[5:]
    assert len(dataset.select([])) == 0
    with pytest.raises(IndexError):
        chosen.select([4])
    for wrong in ([0.5], [[1]], ["a"]):
        with pytest.raises(TypeError):
            dataset.select(wrong)


def test_keys_in_any_order_are_found(tmp_path: Path) -> None:
    samples = SAMPLES[::-1][7:] + SAMPLES[15:]
    write_tiny(tmp_path / "heads", samples)
    dataset = Dataset(tmp_path / "heads")
    assert dataset.keys == [sample.row["key"] for sample in samples]
    assert [dataset.index_of(key) for key in dataset.keys] == list(range(len(samples)))


def test_splits(heads: Path) -> None:
    for split in ("train", "val"):
        assert Dataset(heads, split=split).keys == [s.row["key"] for s in SAMPLES if s.row["split"] == split]
    with pytest.raises(InputError, match=r"no split 'test'; it has: train, val"):
        Dataset(heads, split="test")


def test_a_split_that_happens_to_be_empty_is_empty(tmp_path: Path) -> None:
    write_tiny(tmp_path / "heads", by_key(tiny_samples(3)))
    assert len(Dataset(tmp_path / "heads", split="val")) == 0


def test_a_dataset_that_kept_nothing_can_be_opened(tmp_path: Path) -> None:
    write_tiny(tmp_path / "none", [], [REJECT])
    dataset = Dataset(tmp_path / "none")
    assert (len(dataset), dataset.keys, dataset.table.num_rows) == (0, [], 0)
    assert len(dataset.filter("camera_yaw_deg > 0")) == 0
    assert list(dataset) == []


def test_rejects_come_last_and_have_a_row_but_no_bytes(heads: Path) -> None:
    dataset = Dataset(heads, rejects=True)
    assert dataset.keys == [*KEYS, "", "0" * 16]
    bare, half = dataset[-2], dataset["0" * 16]
    assert half.row == {name: HALF.get(name, "" if name == "shard" else None) for name in Row.model_fields}
    assert dataset.table.slice(len(KEYS)).to_pylist() == [bare.row, half.row]
    assert dataset.filter("reason = 'blurred'").keys == [half.key]
    for read in (lambda: half.read("jpg"), lambda: bare.image, half.encoded):
        with pytest.raises(InputError, match="was rejected"):
            read()
    with pytest.raises(InputError, match="no complete record"):
        _ = half.sample


CONDITIONS = {
    "abs(camera_yaw_deg) > 80": lambda row: abs(row["camera_yaw_deg"]) > 80,
    "split = 'val' AND CAMERA_YAW_DEG < 0": lambda row: row["split"] == "val" and row["camera_yaw_deg"] < 0,
    "face_found": lambda row: row["face_found"],
    "key in ('0', \"duplicate_of\") or source_path like '%7.jpg'": lambda row: row["source_path"].endswith("7.jpg"),
    "list_sum(cam2world) > 0": lambda row: sum(row["cam2world"]) > 0,
    "true": lambda row: True,
    "CAST(columns(*) AS VARCHAR) <> 'val'": lambda row: row["split"] != "val",
    "0.5 > 1": lambda row: False,
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_condition_chooses_what_the_same_in_python_does(heads: Path, condition: str) -> None:
    expected = [sample.row["key"] for sample in SAMPLES if CONDITIONS[condition](sample.row)]
    assert Dataset(heads).filter(condition).keys == expected
    assert Dataset(heads, where=condition).keys == expected
    assert Dataset(heads)[::-1].filter(condition).keys == expected[::-1]


def test_filters_stack_and_join_with_a_split(heads: Path) -> None:
    both = Dataset(heads, split="train", where="camera_yaw_deg > 0").filter("camera_yaw_deg < 100")
    rows = [s.row for s in SAMPLES if s.row["split"] == "train" and 0 < s.row["camera_yaw_deg"] < 100]
    assert both.keys == [row["key"] for row in rows]
    assert both.columns(["camera_yaw_deg"])["camera_yaw_deg"].to_pylist() == [row["camera_yaw_deg"] for row in rows]


def test_a_null_is_not_chosen(heads: Path) -> None:
    assert Dataset(heads, rejects=True).filter("camera_yaw_deg < 1000").keys == [*KEYS, "0" * 16]


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("camra_yaw_deg > 3", r'"camra_yaw_deg" not found.*"camera_yaw_deg"'),
        ("camera_yaw_deg >", "syntax error"),
        ("", "SELECT clause"),
        ("key", "convert string"),
        ("sum(blur) > 1", "aggregates"),
        ("true; DROP TABLE x", "Parser Error"),
        ("true) OR (true", "syntax error"),
        ("key IN (SELECT * FROM '/etc/passwd')", "does not exist"),
        ("key IN (SELECT content FROM read_text('/etc/passwd'))", "Permission Error|disabled"),
        ("key IN (SELECT key FROM variable)", "does not exist"),
    ],
)
def test_what_is_no_condition_is_told_in_duckdbs_words(
    heads: Path, condition: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phq.dataset.filters.variable", pa.table({"key": KEYS}), raising=False)
    with pytest.raises(InputError, match=message) as caught:
        Dataset(heads).filter(condition)
    assert "__row__" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_single_columns_are_read_without_the_others(heads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = ParquetTable.read

    def noted(self: ParquetTable, columns: list[str] | None = None) -> pa.Table:
        read.extend(columns or self.names)
        return original(self, columns)

    monkeypatch.setattr(ParquetTable, "read", noted)
    dataset = Dataset(heads)
    assert not set(read) & {"cam2world", "smpl_pose", "camera_yaw_deg", "source_path"}
    read.clear()
    dataset.filter("camera_yaw_deg > 0")
    assert read == ["camera_yaw_deg"]
    read.clear()
    assert dataset.columns(["cam2world", "camera_yaw_deg"]).column_names == ["cam2world", "camera_yaw_deg"]
    assert read == ["cam2world"]
    with pytest.raises(KeyError, match="no column camra"):
        dataset.columns(["camra"])
