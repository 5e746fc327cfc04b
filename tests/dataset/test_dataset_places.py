"""`phq.Dataset` over a network and in other processes, and what it says of files that are not as they should be."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from range_server import serving
from reader_dataset import KEYS, SAMPLES, as_written
from tiny_datasets import tiny_sample, write_tiny

from phq.dataset.layout import BLOCK
from phq.dataset.reader import Dataset
from phq.errors import InputError


@pytest.fixture
def copy(heads: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(heads, tmp_path / "copy"))


def test_over_http_only_the_sample_asked_for_is_downloaded(heads: Path) -> None:
    with serving(heads) as served:
        dataset = Dataset(served.url)
        assert not any(name.endswith(".tar") for name in served.sent)
        item = dataset[KEYS[5]]
        assert item.image.shape == (64, 64, 3)
        shards = {name: sent for name, sent in served.sent.items() if name.endswith(".tar")}
        assert shards == {item.row["shard"]: BLOCK + len(SAMPLES[5].members["jpg"])}


def test_a_server_without_ranges_is_refused_before_it_sends_a_shard(heads: Path) -> None:
    with serving(heads, ranges=False) as served:
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


@pytest.mark.parametrize("method", sorted({"spawn", "fork"}.intersection(multiprocessing.get_all_start_methods())))
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_other_processes_read_the_same(heads: Path, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if method == "spawn":  # nothing of pytest is spawned
        monkeypatch.setattr(sys.modules["__main__"], "__file__", None, raising=False)
    dataset = Dataset(heads)
    expected = _seen(dataset)
    with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
        found = list(pool.map(dataset.read, range(len(dataset)), chunksize=3))
    assert found == expected == _seen(dataset)


def test_threads_read_the_same(where: str) -> None:
    dataset = Dataset(where)
    with ThreadPoolExecutor(6) as pool:
        rows = list(pool.map(lambda n: (dataset.read(n), dataset[n].row), list(range(len(dataset))) * 2))
    assert [jpg for jpg, _ in rows] == [sample.members["jpg"] for sample in SAMPLES] * 2
    assert all(as_written(sample, row) for sample, (_, row) in zip(SAMPLES * 2, rows, strict=True))


def test_a_dataset_stays_open_where_it_was_when_the_process_moves(
    heads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(heads.parent)
    dataset = Dataset(heads.name)
    monkeypatch.chdir(tmp_path)
    assert dataset[KEYS[0]].read("jpg") == SAMPLES[0].members["jpg"]


def test_an_unknown_member_is_an_input_error(heads: Path) -> None:
    with pytest.raises(InputError, match=r"no member 'png'; it has: jpg, json, mask\.png"):
        Dataset(heads)[0].read("png")


def test_what_is_no_dataset_is_told(tmp_path: Path) -> None:
    (tmp_path / "file.tar").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    (tmp_path / "begun" / ".phq-work").mkdir(parents=True)
    (tmp_path / "begun/.phq-work/plan.json").write_bytes(b"{}")
    for name, message in {
        "file.tar": "is not a folder",
        "missing": "is not a folder",
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
    others = sorted((tmp_path / "other" / "train").glob("*.tar"))
    for number, shard in enumerate(sorted((copy / "train").glob("*.tar"))):
        shutil.copyfile(others[number % len(others)], shard)
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
