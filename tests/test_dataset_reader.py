"""`phq.Dataset`: what was written is what is read, by number, key or condition, from anywhere."""

from __future__ import annotations

import io
import multiprocessing
import os
import pickle
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from range_server import serving
from shard_samples import TinySample, tiny_sample, tiny_samples, write_tiny

from phq.dataset.parquet import ParquetTable
from phq.dataset.reader import Dataset
from phq.errors import InputError
from phq.schema import Row, Sample
from phq.shards.layout import BLOCK

REJECT = {"source_path": "dark.jpg", "decision": "rejected", "reason": "underexposed", "split": ""}
HALF = {**REJECT, "key": "0" * 16, "reason": "blurred", "camera_yaw_deg": 5.0}


def _by_key(samples: list[TinySample]) -> list[TinySample]:
    return sorted(samples, key=lambda sample: str(sample.row["key"]))


SAMPLES = _by_key(tiny_samples(13, 6))
KEYS = [sample.row["key"] for sample in SAMPLES]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reader") / "heads"
    write_tiny(folder, SAMPLES, [REJECT, HALF])
    return folder


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


@pytest.fixture(params=["folder", "memory", "http"])
def where(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    if request.param == "folder":
        yield str(folder)
    elif request.param == "memory":
        memory = fsspec.filesystem("memory")
        memory.put(f"{folder}/", "/heads/", recursive=True)
        yield "memory://heads"
        memory.rm("/heads", recursive=True)
    else:
        with serving(folder) as served:
            yield served.url


def _as_written(sample: TinySample, row: dict[str, Any]) -> bool:
    return {name: row[name] for name in sample.row} == sample.row


def test_every_sample_is_read_as_it_was_written(where: str) -> None:
    dataset = Dataset(where)
    assert len(dataset) == len(SAMPLES)
    assert dataset.keys == KEYS
    for item, sample, row in zip(dataset, SAMPLES, dataset.table.to_pylist(), strict=True):
        assert item.key == sample.row["key"]
        assert {name: item.read(name) for name in sample.members} == sample.members
        assert item.encoded() == sample.members
        assert item.sample == Sample.model_validate_json(sample.members["json"])
        assert _as_written(sample, item.row)
        assert item.row == row
        np.testing.assert_array_equal(item.image, Image.open(io.BytesIO(sample.members["jpg"])))
        np.testing.assert_array_equal(item.mask, Image.open(io.BytesIO(sample.members["mask.png"])))


def test_pictures_are_arrays_of_bytes_that_can_be_changed(folder: Path) -> None:
    item = Dataset(folder)[0]
    assert (item.image.shape, item.image.dtype, item.mask.shape) == ((64, 64, 3), np.uint8, (64, 64))
    image = item.image
    image[:] = 0
    assert item.image.any()


def test_numbers_keys_and_slices(folder: Path) -> None:
    dataset = Dataset(folder)
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
def test_a_number_out_of_range_is_an_index_error(folder: Path, number: int) -> None:
    with pytest.raises(IndexError, match="has 19 samples here, no number"):
        Dataset(folder)[number]


@pytest.mark.parametrize("key", ["", "0" * 16, "f" * 16, KEYS[0][:15], KEYS[0] + "0", "é", "\udce9"])
def test_an_unknown_key_is_a_key_error_in_a_plain_sentence(folder: Path, key: str) -> None:
    dataset = Dataset(folder, rejects=key == "")  # one reject has no key
    with pytest.raises(KeyError) as caught:
        dataset[key]
    assert isinstance(caught.value, InputError)
    assert str(caught.value) == f"{folder} has no sample {key!r} among these {len(dataset)}"


@pytest.mark.parametrize("which", [1.0, None, [1], (0, 1)])
def test_what_is_neither_number_nor_key_is_a_type_error(folder: Path, which: Any) -> None:
    with pytest.raises(TypeError):
        Dataset(folder)[which]


def test_select_keeps_order_and_repetitions(folder: Path) -> None:
    dataset = Dataset(folder)
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


def test_splits(folder: Path) -> None:
    for split in ("train", "val"):
        assert Dataset(folder, split=split).keys == [s.row["key"] for s in SAMPLES if s.row["split"] == split]
    with pytest.raises(InputError, match=r"no split 'test'; it has: train, val"):
        Dataset(folder, split="test")


def test_a_split_that_happens_to_be_empty_is_empty(tmp_path: Path) -> None:
    write_tiny(tmp_path / "heads", _by_key(tiny_samples(3)))
    assert len(Dataset(tmp_path / "heads", split="val")) == 0


def test_a_dataset_that_kept_nothing_can_be_opened(tmp_path: Path) -> None:
    write_tiny(tmp_path / "none", [], [REJECT])
    dataset = Dataset(tmp_path / "none")
    assert (len(dataset), dataset.keys, dataset.table.num_rows) == (0, [], 0)
    assert len(dataset.filter("camera_yaw_deg > 0")) == 0
    assert list(dataset) == []


def test_rejects_come_last_and_have_a_row_but_no_bytes(folder: Path) -> None:
    dataset = Dataset(folder, rejects=True)
    assert dataset.keys == [*KEYS, "", "0" * 16]
    bare, half = dataset[-2], dataset["0" * 16]
    assert half.row == {name: HALF.get(name, "" if name == "shard" else None) for name in Row.model_fields}
    assert dataset.table.slice(len(KEYS)).to_pylist() == [bare.row, half.row]
    assert dataset.filter("reason = 'blurred'").keys == [half.key]
    for read in (lambda: half.read("jpg"), lambda: bare.image, half.encoded):
        with pytest.raises(InputError, match="was thrown out"):
            read()
    with pytest.raises(InputError, match="no complete record"):
        _ = half.sample


CONDITIONS = {
    "abs(camera_yaw_deg) > 80": lambda row: abs(row["camera_yaw_deg"]) > 80,
    "split = 'val' AND CAMERA_YAW_DEG < 0": lambda row: row["split"] == "val" and row["camera_yaw_deg"] < 0,
    "face_found": lambda row: row["face_found"],
    'key in (\'0\', "duplicate_of") or source_path like \'%7.jpg\'': lambda row: row["source_path"].endswith("7.jpg"),
    "list_sum(cam2world) > 0": lambda row: sum(row["cam2world"]) > 0,
    "true": lambda row: True,
    "CAST(columns(*) AS VARCHAR) <> 'val'": lambda row: row["split"] != "val",
    "0.5 > 1": lambda row: False,
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_condition_chooses_what_the_same_in_python_does(folder: Path, condition: str) -> None:
    expected = [sample.row["key"] for sample in SAMPLES if CONDITIONS[condition](sample.row)]
    assert Dataset(folder).filter(condition).keys == expected
    assert Dataset(folder, where=condition).keys == expected
    assert Dataset(folder)[::-1].filter(condition).keys == expected[::-1]


def test_filters_stack_and_join_with_a_split(folder: Path) -> None:
    both = Dataset(folder, split="train", where="camera_yaw_deg > 0").filter("camera_yaw_deg < 100")
    rows = [s.row for s in SAMPLES if s.row["split"] == "train" and 0 < s.row["camera_yaw_deg"] < 100]
    assert both.keys == [row["key"] for row in rows]
    assert both.columns(["camera_yaw_deg"])["camera_yaw_deg"].to_pylist() == [row["camera_yaw_deg"] for row in rows]


def test_a_null_is_not_chosen(folder: Path) -> None:
    assert Dataset(folder, rejects=True).filter("camera_yaw_deg < 1000").keys == [*KEYS, "0" * 16]


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
    folder: Path, condition: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phq.dataset.filters.variable", pa.table({"key": KEYS}), raising=False)
    with pytest.raises(InputError, match=message) as caught:
        Dataset(folder).filter(condition)
    assert "__row__" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_single_columns_are_read_without_the_others(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = ParquetTable.read

    def noted(self: ParquetTable, columns: list[str] | None = None) -> pa.Table:
        read.extend(columns or self.names)
        return original(self, columns)

    monkeypatch.setattr(ParquetTable, "read", noted)
    dataset = Dataset(folder)
    assert not set(read) & {"cam2world", "smpl_pose", "camera_yaw_deg", "source_path"}
    read.clear()
    dataset.filter("camera_yaw_deg > 0")
    assert read == ["camera_yaw_deg"]
    read.clear()
    assert dataset.columns(["cam2world", "camera_yaw_deg"]).column_names == ["cam2world", "camera_yaw_deg"]
    assert read == ["cam2world"]
    with pytest.raises(KeyError, match="no column camra"):
        dataset.columns(["camra"])


def test_over_http_only_the_sample_asked_for_is_downloaded(folder: Path) -> None:
    with serving(folder) as served:
        dataset = Dataset(served.url)
        assert not any(name.endswith(".tar") for name in served.sent)
        item = dataset[KEYS[5]]
        assert item.image.shape == (64, 64, 3)
        shards = {name: sent for name, sent in served.sent.items() if name.endswith(".tar")}
        assert shards == {item.row["shard"]: BLOCK + len(SAMPLES[5].members["jpg"])}


def test_a_server_without_ranges_is_refused_before_it_sends_a_shard(folder: Path) -> None:
    with serving(folder, ranges=False) as served:
        with pytest.raises(InputError, match="no HTTP ranges"):
            Dataset(served.url)
        assert set(served.sent) == {"run.json"}


def _seen(dataset: Dataset) -> list[bytes]:
    return [item.read("jpg") for item in dataset]


def test_a_pickled_dataset_is_the_same_view(where: str) -> None:
    dataset = Dataset(where, split="train")[::2]
    assert dataset.table.num_rows
    again = pickle.loads(pickle.dumps(dataset))
    assert _seen(again) == _seen(dataset)
    assert again.table.equals(dataset.table)
    assert again.filter("camera_yaw_deg > 0").keys == dataset.filter("camera_yaw_deg > 0").keys
    assert pickle.loads(pickle.dumps(dataset[1])).row == dataset[1].row


@pytest.mark.parametrize(
    "method", sorted({"spawn", "fork"}.intersection(multiprocessing.get_all_start_methods()))
)
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_other_processes_read_the_same(folder: Path, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if method == "spawn":  # nothing of pytest is spawned
        monkeypatch.setattr(sys.modules["__main__"], "__file__", None, raising=False)
    dataset = Dataset(folder)
    expected = _seen(dataset)
    with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
        found = list(pool.map(dataset.read, range(len(dataset)), chunksize=3))
    assert found == expected == _seen(dataset)


def test_threads_read_the_same(where: str) -> None:
    dataset = Dataset(where)
    with ThreadPoolExecutor(6) as pool:
        rows = list(pool.map(lambda n: (dataset.read(n), dataset[n].row), list(range(len(dataset))) * 2))
    assert [jpg for jpg, _ in rows] == [sample.members["jpg"] for sample in SAMPLES] * 2
    assert all(_as_written(sample, row) for sample, (_, row) in zip(SAMPLES * 2, rows, strict=True))


def test_a_dataset_stays_open_where_it_was_when_the_process_moves(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    dataset = Dataset(folder.name)
    monkeypatch.chdir(tmp_path)
    assert dataset[KEYS[0]].read("jpg") == SAMPLES[0].members["jpg"]


def test_an_unknown_member_is_an_input_error(folder: Path) -> None:
    with pytest.raises(InputError, match=r"no member 'png'; it has: jpg, json, mask\.png"):
        Dataset(folder)[0].read("png")


def test_what_is_no_dataset_is_told(tmp_path: Path) -> None:
    (tmp_path / "file.tar").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    (tmp_path / "begun" / ".phq-work").mkdir(parents=True)
    for name, message in {
        "file.tar": "is no folder",
        "missing": "is no folder",
        "empty": "is not a dataset of phq",
        "begun": "unfinished build: run the same build again",
    }.items():
        with pytest.raises(InputError, match=message):
            Dataset(tmp_path / name)
    with serving(tmp_path / "empty") as served, pytest.raises(InputError, match=r"has no file run\.json"):
        Dataset(served.url)


@pytest.mark.parametrize(
    ("version", "message"), [("phq/99", "the format 'phq/99', and this phq reads"), (None, "was not written by phq")]
)
def test_another_format_is_refused(copy: Path, version: str | None, message: str) -> None:
    table = pq.read_table(copy / "manifest.parquet", use_threads=False)
    notes = {"schema_version": version} if version else None
    pq.write_table(table.replace_schema_metadata(notes), copy / "manifest.parquet")
    with pytest.raises(InputError, match=message):
        Dataset(copy)


@pytest.mark.parametrize("name", ["manifest.parquet", "run.json"])
@pytest.mark.parametrize("content", [b"", b"[]", b"PAR1 and what is no footer PAR1"])
def test_damaged_tables_are_named(copy: Path, name: str, content: bytes) -> None:
    (copy / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        Dataset(copy)


def _shard(folder: Path, number: int) -> Path:
    return folder / Dataset(folder)[number].row["shard"]


def test_a_shard_that_is_cut_off_is_told(copy: Path) -> None:
    os.truncate(_shard(copy, 4), 1000)
    with pytest.raises(InputError, match=rf"is cut off: no jpg of sample {KEYS[4]}"):
        Dataset(copy)[4].read("jpg")


def test_a_shard_that_is_missing_is_told(copy: Path) -> None:
    _shard(copy, 4).unlink()
    with pytest.raises(InputError, match=r"has no file (train|val)/phq-"):
        Dataset(copy)[4].read("jpg")


def test_a_shard_of_another_dataset_is_never_read_as_this_one(copy: Path, tmp_path: Path) -> None:
    write_tiny(tmp_path / "other", [tiny_sample(number) for number in range(100, 120)])
    shutil.copytree(tmp_path / "other" / "train", copy / "train", dirs_exist_ok=True)
    for item in Dataset(copy, split="train"):
        with pytest.raises(InputError, match=r"not the shard its manifest describes|cut off"):
            item.read("jpg")


def test_a_dataset_that_is_open_reads_on_while_its_shards_are_replaced(copy: Path) -> None:
    dataset = Dataset(copy)
    expected = _seen(dataset)
    for shard in sorted(copy.glob("*/*.tar")):
        (copy / "new").write_bytes(b"other")
        (copy / "new").replace(shard)
    assert _seen(dataset) == expected


def _spoil(folder: Path, prefix: str) -> None:
    """Zeros in the place of a member of the fifth sample."""
    row = Dataset(folder)[4].row
    with (folder / row["shard"]).open("rb+") as shard:
        shard.seek(row[f"{prefix}_offset"])
        shard.write(bytes(row[f"{prefix}_size"]))


@pytest.mark.parametrize("member", ["jpg", "mask.png"])
def test_a_picture_that_cannot_be_decoded_is_told(copy: Path, member: str) -> None:
    prefix = member.split(".", maxsplit=1)[0]
    _spoil(copy, prefix)
    item = Dataset(copy)[4]
    with pytest.raises(InputError, match=f"the {member} of sample {KEYS[4]} is not a picture"):
        _ = item.image if prefix == "jpg" else item.mask


def test_a_json_that_cannot_be_read_is_told(copy: Path) -> None:
    _spoil(copy, "json")
    item = Dataset(copy)[4]
    with pytest.raises(InputError, match=f"the json of sample {KEYS[4]} is damaged"):
        _ = item.row
    with pytest.raises(InputError, match=f"sample {KEYS[4]} has no complete record"):
        _ = item.sample
