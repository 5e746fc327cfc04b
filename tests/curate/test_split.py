"""Dividing a dataset anew: nothing linked is separated, nothing moves without need, no shard is touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from curated_datasets import files, overlay, person, write

from phq.config.build import load_config
from phq.curate.split import split
from phq.curate.verify.verify import verify
from phq.dataset.reader import Dataset
from phq.decisions.split_groups import split_of
from phq.errors import ConfigError, InputError

COUNT = 60


def make(out: Path, first: int = 0) -> Path:
    """Of 0..9 all even ones are Ann, of 10..19 all are of one photo, 20..29 look like 20; the others stand alone."""

    def made(n: int) -> object:
        shared: dict[str, object] = {}
        if n < 10:
            shared = {"identity": "Ann" if n % 2 == 0 else ""}
        elif n < 20:
            shared = {"source_sha256": "1" * 64, "person_index": n}
        sample = person(n, **shared)
        if 20 < n < 30:
            sample.row["duplicate_of"] = person(20).row["key"]
        return sample

    return write(out, [made(n) for n in range(first, COUNT)], sheet=False)  # type: ignore[misc]


def sides(folder: Path, overlay: str = "latest") -> dict[int, str]:
    """Split of each sample by its number."""
    numbers = {person(n).row["key"]: n for n in range(COUNT)}
    table = Dataset(folder, revision=overlay).columns(["key", "split"])
    return {numbers[row["key"]]: row["split"] for row in table.to_pylist()}


def test_linked_samples_stay_together_and_no_shard_is_touched(tmp_path: Path) -> None:
    folder = make(tmp_path)
    before = files(folder)
    done = split(folder, "even", "identity", val=0.5)
    assert (done.groups, done.largest, done.moved) == (1 + 5 + 1 + 1 + 30, 10, done.sizes["val"])
    found = sides(folder)
    assert done.sizes == {part: list(found.values()).count(part) for part in ("train", "val")}
    assert len({found[n] for n in range(0, 10, 2)}) == len({found[n] for n in range(10, 20)}) == 1
    assert len({found[n] for n in range(20, 30)}) == 1
    assert 10 < sum(found[n] == "val" for n in range(30, COUNT)) < 20
    after = files(folder)
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {"run.json", "overlays/even.parquet"}
    assert verify(folder, workers=1).violations == []


def test_by_source_people_may_be_separated(tmp_path: Path) -> None:
    folder = make(tmp_path)
    assert split(folder, "s", "source", val=0.5, seed=3).groups == 10 + 1 + 1 + 30
    assert len({sides(folder)[n] for n in range(0, 10, 2)}) == 2


def test_it_depends_on_the_seed_and_on_nothing_else(tmp_path: Path) -> None:
    one, two = make(tmp_path / "one"), make(tmp_path / "two")
    split(one, "a", "identity", val=0.3, seed=1)
    split(one, "b", "identity", val=0.3, seed=2)
    split(two, "b", "identity", val=0.3, seed=2)
    assert files(one)["overlays/b.parquet"] == files(two)["overlays/b.parquet"]
    assert sides(one, "a") != sides(one, "b")


def test_groups_stay_where_they_are_when_others_go(tmp_path: Path) -> None:
    whole, part = make(tmp_path / "whole"), make(tmp_path / "part", first=30)
    split(whole, "x", "source", val=0.5)
    split(part, "x", "source", val=0.5)
    every = sides(whole)
    assert sides(part) == {n: every[n] for n in range(30, COUNT)}
    config = load_config(None, None, ["split.val_fraction=0.5"])
    assert every[40] == split_of(person(40).row["source_sha256"], config)


def test_only_samples_that_are_kept_are_divided(tmp_path: Path) -> None:
    folder = make(tmp_path)
    overlay(folder, "less", [{"key": person(n).row["key"], "decision": "rejected", "reason": "x"} for n in range(30)])
    assert sum(split(folder, "x", "source", val=0.0).sizes.values()) == 30
    assert set(sides(folder)) == set(range(30, COUNT))


def test_what_cannot_be_done(tmp_path: Path) -> None:
    folder = write(tmp_path / "set", [person(1), person(2)], sheet=False)
    before = files(folder)
    with pytest.raises(InputError, match="names an identity"):
        split(folder, "x", "identity")
    with pytest.raises(ConfigError, match="cannot split by 'author'"):
        split(folder, "x", "author")
    with pytest.raises(ConfigError, match=r"split\.val_fraction = 1\.5"):
        split(folder, "x", "source", val=1.5)
    with pytest.raises(InputError, match="cannot be called 'latest'"):
        split(folder, "latest", "source")
    assert files(folder) == before
    split(folder, "x", "source")
    with pytest.raises(InputError, match="already has an overlay x"):
        split(folder, "x", "source")
