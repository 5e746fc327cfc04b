"""A dataset opens unchanged in webdataset, wids, Hugging Face datasets and DuckDB."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import jsonschema
import pytest
import webdataset
import yaml
from PIL import Image
from tiny_datasets import SIDE, tiny_samples, write_tiny

from phq.dataset.tables import read_table
from phq.dataset.tar import MEMBERS, read_member
from phq.schema import Sample, column_kind

SAMPLES = tiny_samples(20, 9)
BY_SPLIT = {split: [s for s in SAMPLES if s.row["split"] == split] for split in ("train", "val")}


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("shards") / "dataset"
    write_tiny(out, SAMPLES, [{"source_path": "bad.jpg", "reason": "truncated"}])
    return out


@pytest.fixture(scope="module")
def hf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Hugging Face `datasets`, offline and with its caches in a temporary folder."""
    home = tmp_path_factory.mktemp("hf")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HOME", str(home))
        patch.setenv("HF_DATASETS_CACHE", str(home / "datasets"))
        patch.setenv("HF_HUB_OFFLINE", "1")
        import datasets

        patch.setattr(datasets.config, "HF_DATASETS_CACHE", home / "datasets")
        datasets.disable_progress_bars()
        yield datasets


def tars(folder: Path, split: str) -> list[str]:
    return [str(path) for path in sorted((folder / split).glob("*.tar"))]


def raw(folder: Path, split: str) -> list[dict[str, Any]]:
    return list(webdataset.WebDataset(tars(folder, split), shardshuffle=False))


def declared(hf: Any, folder: Path) -> Any:
    front_matter = (folder / "README.md").read_text("utf-8").split("---\n")[1]
    return hf.Features._from_yaml_list(yaml.safe_load(front_matter)["dataset_info"]["features"])


@pytest.mark.parametrize("split", ["train", "val"])
def test_webdataset_yields_every_sample_in_order(shards: Path, split: str) -> None:
    found = [{name: sample[name] for name in ("__key__", *MEMBERS)} for sample in raw(shards, split)]
    assert found == [{"__key__": s.row["key"], **s.members} for s in BY_SPLIT[split]]


def test_webdataset_decodes_the_members(shards: Path) -> None:
    decoded = webdataset.WebDataset(tars(shards, "val"), shardshuffle=False).decode("pil")
    image, record, mask = next(iter(decoded.to_tuple("jpg", "json", "mask.png")))
    assert (image.size, image.mode, mask.size) == ((SIDE, SIDE), "RGB", (SIDE, SIDE))
    assert record["source_path"] == BY_SPLIT["val"][0].row["source_path"]


def test_the_manifest_leads_to_the_bytes_webdataset_yields(shards: Path) -> None:
    by_key = {sample["__key__"]: sample for split in BY_SPLIT for sample in raw(shards, split)}
    rows = read_table(shards / "manifest.parquet").to_pylist()
    assert [row["key"] for row in rows] == [s.row["key"] for s in SAMPLES]
    for row in rows:
        for name, prefix in MEMBERS.items():
            place = row[f"{prefix}_offset"], row[f"{prefix}_size"]
            assert read_member(shards / row["shard"], *place) == by_key[row["key"]][name]


def test_keys_are_hashes_and_the_json_follows_the_schema(shards: Path) -> None:
    schema = json.loads((shards / "schema.json").read_bytes())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    rows = {row["key"]: row for row in read_table(shards / "manifest.parquet").to_pylist()}
    for sample in raw(shards, "train"):
        record = json.loads(sample["json"])
        validator.validate(record)
        assert sample["__key__"] == record["key"] == hashlib.sha256(sample["jpg"]).hexdigest()[:16]
        assert record == {name: rows[record["key"]][name] for name in record}


@pytest.mark.filterwarnings("ignore:String specifications:UserWarning")
def test_wids_reads_at_random_also_after_the_dataset_has_moved(shards: Path, tmp_path: Path) -> None:
    wids = pytest.importorskip("wids", reason="in webdataset before 1.0 only")
    moved = tmp_path / "moved"
    shutil.copytree(shards, moved)
    index = json.loads((moved / "train-index.json").read_bytes())
    assert index["wids_version"] == 1
    for shard in index["shardlist"]:
        assert (moved / shard["url"]).stat().st_size == shard["filesize"]
    before = sorted((moved / "train").iterdir())
    dataset = wids.ShardListDataset(str(moved / "train-index.json"), cache_dir=str(moved / "train"))
    assert len(dataset) == len(BY_SPLIT["train"])
    for number in (17, 0, 5):
        sample, truth = dataset[number], BY_SPLIT["train"][number]
        assert (sample["__key__"], sample[".json"]) == (truth.row["key"], json.loads(truth.members["json"]))
        assert (sample[".jpg"].size, sample[".mask.png"].mode) == ((SIDE, SIDE), "L")
    dataset.close()
    assert sorted((moved / "train").iterdir()) == before


def test_the_card_types_every_feature(hf: Any, shards: Path) -> None:
    dtypes = {str: "string", int: "int64", float: "float64", bool: "bool"}
    record = {}
    for name in Sample.model_fields:
        kind, length = column_kind(name)
        record[name] = hf.Sequence(hf.Value(dtypes[kind])) if length else hf.Value(dtypes[kind])
    text, image = hf.Value("string"), hf.Image()
    wanted = {"jpg": image, "json": record, "mask.png": image, "__key__": text, "__url__": text}
    assert declared(hf, shards) == hf.Features(wanted)


def check_rows(rows: list[dict[str, Any]], split: str) -> None:
    assert [row["__key__"] for row in rows] == [s.row["key"] for s in BY_SPLIT[split]]
    for row, sample in zip(rows, BY_SPLIT[split], strict=True):
        assert row["json"] == json.loads(sample.members["json"])
        assert (row["jpg"].size, row["mask.png"].mode) == ((SIDE, SIDE), "L")


@pytest.mark.parametrize("split", ["train", "val"])
def test_datasets_loads_a_list_of_shards(hf: Any, shards: Path, split: str) -> None:
    loaded = hf.load_dataset("webdataset", data_files=tars(shards, split), split="train")
    assert loaded.features == declared(hf, shards)
    check_rows(list(loaded), split)


def test_datasets_loads_the_folder(hf: Any, shards: Path) -> None:
    loaded = hf.load_dataset(str(shards))
    assert list(loaded) == ["train", "val"]
    for split, rows in loaded.items():
        assert rows.features == declared(hf, shards)
        check_rows(list(rows), split)


def test_datasets_streams_the_folder(hf: Any, shards: Path) -> None:
    loaded = hf.load_dataset(str(shards), streaming=True)
    assert list(loaded) == ["train", "val"]
    for split, rows in loaded.items():
        assert rows.features == declared(hf, shards)
        check_rows(list(rows), split)


def test_datasets_loads_some_of_the_shards(hf: Any, shards: Path) -> None:
    index = json.loads((shards / "train-index.json").read_bytes())
    names = [shard["url"] for shard in index["shardlist"]]
    some = {"train": [names[0], names[3]]}
    loaded = hf.load_dataset(str(shards), data_files=some, split="train")
    assert loaded.num_rows == sum(index["shardlist"][n]["nsamples"] for n in (0, 3))


def test_duckdb_slices_by_yaw_and_the_rows_lead_to_the_images(shards: Path) -> None:
    query = "SELECT key, shard, jpg_offset, jpg_size, smpl_pose[1] FROM '{}' WHERE abs(camera_yaw_deg) > 90"
    rows = duckdb.sql(query.format(shards / "manifest.parquet")).fetchall()
    backs = {s.row["key"]: s for s in SAMPLES if abs(s.row["camera_yaw_deg"]) > 90}
    assert {row[0] for row in rows} == backs.keys()
    for key, shard, offset, size, pose in rows:
        image = read_member(shards / shard, offset, size)
        assert image == backs[key].members["jpg"]
        assert Image.open(io.BytesIO(image)).size == (SIDE, SIDE)
        assert pose == backs[key].row["smpl_pose"][0]


def test_the_card_counts_and_names_the_licences(shards: Path) -> None:
    text = (shards / "README.md").read_text("utf-8")
    assert "| train | 20 |" in text
    assert "| val | 9 |" in text
    assert "| truncated | 1 |" in text
    assert "| nanodet | person boxes | Apache-2.0 | RangiLyu/nanodet |" in text
    fronts = sum(abs(s.row["camera_yaw_deg"]) < 22.5 for s in SAMPLES)
    backs = sum(abs(s.row["camera_yaw_deg"]) > 157.5 for s in SAMPLES)
    assert f"| 0° | front | {fronts} |" in text
    assert f"| -180° | back | {backs} |" in text


def test_nothing_kept_streams_as_no_rows(hf: Any, tmp_path: Path) -> None:
    write_tiny(tmp_path / "none", [], [{"source_path": "bad.jpg", "reason": "truncated"}])
    loaded = hf.load_dataset(str(tmp_path / "none"), streaming=True)
    assert {split: list(rows) for split, rows in loaded.items()} == {"train": []}
    shards = tars(tmp_path / "none", "train")
    assert list(webdataset.WebDataset(shards, shardshuffle=False, empty_check=False)) == []
