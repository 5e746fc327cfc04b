"""Readers that keep copies give each dataset its own samples: `datasets`, webdataset and mlcroissant."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import webdataset
from etils import epath
from tiny_datasets import TinySample, tiny_samples, write_tiny

from phq.curate.redact import redact
from phq.dataset.content import brace_ranges
from phq.dataset.folder import shard_names
from phq.schema import make_sample, sample_to_json

SAMPLES = tiny_samples(12, 3)
Labels = dict[str, float]
"""`blur` by key: pictures alone would not show that a json is an old one."""


def relabelled(sample: TinySample) -> TinySample:
    """The same picture with another label of the same length."""
    record = make_sample(json.loads(sample.members["json"]) | {"blur": 9.0})
    return replace(sample, row=sample.row | {"blur": 9.0}, members=sample.members | {"json": sample_to_json(record)})


class Readers:
    """The three readers, with caches that all datasets of a test share."""

    def __init__(self, datasets: Any, home: Path) -> None:
        self.datasets = datasets
        self.home = home

    def read_datasets(self, folder: Path) -> Labels:
        """Hugging Face `datasets`; its cache goes by the folder's name, which is that of all of them here."""
        loaded = self.datasets.load_dataset(str(folder))
        return {row["__key__"]: row["json"]["blur"] for rows in loaded.values() for row in rows}

    def read_webdataset(self, folder: Path) -> Labels:
        """With ``cache_dir``, from the brace expansions that the card states."""
        card = (folder / "README.md").read_text("utf-8")
        ranges = [line for line in card.splitlines() if line.startswith(("train/phq-", "val/phq-"))]
        urls = "::".join(f"file:{folder}/{text}" for text in ranges)
        options = {"shardshuffle": False, "cache_dir": str(self.home / "webdataset"), "empty_check": False}
        return {s["__key__"]: json.loads(s["json"])["blur"] for s in webdataset.WebDataset(urls, **options)}

    def read_croissant(self, folder: Path) -> Labels:
        """mlcroissant, which unpacks shards into a folder of its own and gives the pictures alone."""
        import mlcroissant

        records = mlcroissant.Dataset(folder / "croissant.json").records("images")
        blur = {
            r["samples/key"]: r["samples/blur"]
            for r in mlcroissant.Dataset(folder / "croissant.json").records("samples")
        }
        return {r["images/key"].decode(): blur[r["images/key"]] for r in records}


@pytest.fixture
def readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Readers]:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    logging.disable(logging.CRITICAL)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    monkeypatch.setattr("mlcroissant._src.operation_graph.operations.extract.EXTRACT_PATH", epath.Path(tmp_path / "x"))
    datasets.disable_progress_bars()
    (tmp_path / "webdataset").mkdir()
    yield Readers(datasets, tmp_path)
    logging.disable(logging.NOTSET)


def labels(samples: list[TinySample]) -> Labels:
    return {sample.row["key"]: sample.row["blur"] for sample in samples}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["read_datasets", "read_webdataset", "read_croissant"])
def test_no_reader_gives_what_another_dataset_or_an_earlier_revision_had(
    readers: Readers, tmp_path: Path, name: str
) -> None:
    read = getattr(readers, name)
    folder = tmp_path / "a" / "set"
    write_tiny(folder, SAMPLES)
    assert read(folder) == labels(SAMPLES)
    changed = [relabelled(sample) for sample in SAMPLES]
    write_tiny(tmp_path / "b" / "set", changed)  # the same pictures
    assert read(tmp_path / "b" / "set") == labels(changed)
    other = tiny_samples(24, 6)[15:]
    write_tiny(tmp_path / "c" / "set", other)
    assert read(tmp_path / "c" / "set") == labels(other)
    gone = SAMPLES[4].row["key"]
    redact(folder, [gone])
    assert read(folder) == labels([sample for sample in SAMPLES if sample.row["key"] != gone])
    shutil.rmtree(folder)
    write_tiny(folder, SAMPLES)
    assert read(folder) == labels(SAMPLES)


def test_a_rewritten_shard_has_another_name_and_the_others_keep_theirs(tmp_path: Path) -> None:
    write_tiny(tmp_path / "set", SAMPLES)
    before = shard_names(tmp_path / "set")
    (old,) = redact(tmp_path / "set", [SAMPLES[4].row["key"]]).shards
    after = shard_names(tmp_path / "set")
    assert after["val"] == before["val"]
    assert [name[:-16] for name in after["train"]] == [name[:-16] for name in before["train"]]
    assert [a for a, b in zip(before["train"], after["train"], strict=True) if a != b] == [old]


def test_the_brace_ranges_are_those_of_the_names() -> None:
    names = [f"train/phq-train-{n:06d}-{tag * 12}.tar" for n, tag in enumerate("aaabca")]
    assert brace_ranges(names) == [
        "train/phq-train-{000000..000002}-aaaaaaaaaaaa.tar",
        "train/phq-train-000003-bbbbbbbbbbbb.tar",
        "train/phq-train-000004-cccccccccccc.tar",
        "train/phq-train-000005-aaaaaaaaaaaa.tar",
    ]
    from webdataset.shardlists import expand_urls

    assert expand_urls("::".join(brace_ranges(names))) == names


def test_the_recipe_of_the_card_gives_a_mask_of_one_channel(tmp_path: Path) -> None:
    write_tiny(tmp_path / "set", SAMPLES)
    card = (tmp_path / "set" / "README.md").read_text("utf-8")
    recipe = card[card.index("# webdataset\n") : card.index("# wids")].replace("DATASET", str(tmp_path / "set"))
    names: dict[str, Any] = {}
    exec(recipe, names)
    image, record, mask = next(iter(names["dataset"]))
    assert (image.mode, mask.mode) == ("RGB", "L")
    assert record["key"] == SAMPLES[0].row["key"]


def test_a_folder_of_shards_holds_nothing_but_shards(tmp_path: Path) -> None:
    """Ray's ``read_webdataset`` takes every file of a folder for a tar."""
    write_tiny(tmp_path / "set", SAMPLES)
    assert {path.suffix for split in ("train", "val") for path in (tmp_path / "set" / split).iterdir()} == {".tar"}


def test_ray_reads_a_folder_of_shards(tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    write_tiny(tmp_path / "set", SAMPLES)
    ray.init("local", num_cpus=1, include_dashboard=False, log_to_driver=False, object_store_memory=100 << 20)
    try:
        rows = ray.data.read_webdataset(str(tmp_path / "set" / "train")).take_all()
    finally:
        ray.shutdown()
    assert sorted(row["__key__"] for row in rows) == sorted(s.row["key"] for s in SAMPLES if s.row["split"] == "train")
