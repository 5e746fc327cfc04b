"""Redaction of much of a dataset: no shard is left empty."""

from __future__ import annotations

from pathlib import Path

import pytest
from curated_datasets import person, traces, write
from hypothesis import given
from hypothesis import strategies as st
from tiny_datasets import TinySample

from phq.curate.redact import redact
from phq.curate.removal import shard_sizes
from phq.curate.verify.verify import verify
from phq.dataset.folder import shard_names
from phq.dataset.reader import Dataset


@given(st.lists(st.integers(0, 6), min_size=1, max_size=12))
def test_no_shard_is_left_empty(left: list[int]) -> None:
    sizes = shard_sizes(left)
    assert sum(sizes) == sum(left)
    assert all(sizes)
    assert len(sizes) == min(len(left), sum(left))
    if all(left):
        assert sizes == left


def test_an_emptied_shard_takes_from_its_neighbour() -> None:
    assert shard_sizes([4, 0, 3, 5]) == [4, 1, 2, 5]
    assert shard_sizes([4, 5, 0]) == [4, 2, 3]
    assert shard_sizes([0, 0, 1, 4, 9]) == [1, 1, 1, 2, 9]
    assert shard_sizes([1, 0, 1]) == [1, 1]


@pytest.mark.parametrize("gone", ["val", "a shard", "all but three", "all"])
def test_much_of_a_dataset_goes(made: tuple[Path, list[TinySample]], gone: str) -> None:
    folder, samples = made
    shard = shard_names(folder)["train"][3]
    where = {"val": "split = 'val'", "a shard": f"shard = '{shard}'", "all": "true"}.get(gone)
    keys = Dataset(folder, where=where).keys if where else [s.row["key"] for s in samples[3:]]
    redact(folder, keys)
    assert traces(folder, {key: key.encode() for key in keys}) == []
    assert verify(folder, workers=1).violations == []
    assert len(Dataset(folder)) == len(samples) - len(keys)
    assert (folder / "val").exists() == (gone == "a shard")
    assert (folder / "train-index.json").exists()
    assert (folder / shard).exists() == (gone == "val")
    assert len(shard_names(folder)["train"]) == {"val": 8, "a shard": 8, "all but three": 3, "all": 1}[gone]


def test_the_last_shards_go_one_by_one(tmp_path: Path) -> None:
    """Where each shard has one sample, taking the last one changes no other shard, and yet the index."""
    folder = write(tmp_path / "set", [person(n) for n in range(4)], sheet=False)
    for key in sorted(Dataset(folder).keys, reverse=True):
        redact(folder, [key])
        assert verify(folder, workers=1).violations == []
    assert len(Dataset(folder)) == 0
