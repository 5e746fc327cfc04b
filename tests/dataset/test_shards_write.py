"""The dataset as a whole: the same bytes every time, whatever was there before, and nobody else's files."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from tiny_datasets import CARD, TinySample, tiny_sample, tiny_samples, write_tiny

from phq.dataset.content import UNNAMED
from phq.dataset.folder import check_folder
from phq.dataset.tables import arrow_schema, read_table
from phq.dataset.write import write_dataset
from phq.errors import OutputError

SAMPLES = tiny_samples(9, 2)
REJECTS = [{"source_path": "bad.jpg", "decision": "rejected", "reason": "truncated"}]


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("good")
    write_tiny(out, SAMPLES, REJECTS)
    return files(out)


def test_what_is_written(good: dict[str, bytes]) -> None:
    tag = {split: next(name[-16:-4] for name in good if name.startswith(f"{split}/")) for split in ("train", "val")}
    train = [f"train/phq-train-{n:06d}-{tag['train']}.tar" for n in range(8)]
    val = [f"val/phq-val-{n:06d}-{tag['val']}.tar" for n in range(2)]
    other = ["README.md", "croissant.json", "manifest.parquet", "rejects.parquet", "run.json", "schema.json"]
    assert sorted(good) == sorted([*train, *val, *other, "train-index.json", "val-index.json"])
    assert json.loads(good["run.json"])["seed"] == 1


def test_the_manifest_keeps_the_order_of_the_rows(tmp_path: Path) -> None:
    write_tiny(tmp_path, SAMPLES, REJECTS)
    rows = read_table(tmp_path / "manifest.parquet").to_pylist()
    assert [(r["key"], r["split"]) for r in rows] == [(s.row["key"], s.row["split"]) for s in SAMPLES]
    rejects = read_table(tmp_path / "rejects.parquet").to_pylist()
    assert [{k: v for k, v in r.items() if v is not None} for r in rejects] == [{**REJECTS[0], "shard": ""}]


def test_same_input_same_bytes(tmp_path: Path, good: dict[str, bytes]) -> None:
    write_tiny(tmp_path, SAMPLES, REJECTS)
    assert files(tmp_path) == good
    write_tiny(tmp_path, SAMPLES, REJECTS)
    assert files(tmp_path) == good


def test_a_disk_that_fills_up_at_any_moment(
    tmp_path: Path, good: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    left = 0

    def fsync_until_full(_: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync_until_full)
    syncs = 2 * len(good) + 2  # each file is synced, and then its folder; the splits' once more, as shards are named
    for allowed in range(syncs):
        left = allowed
        with pytest.raises(OutputError, match="disk is full"):
            write_tiny(tmp_path, SAMPLES, REJECTS)
        found = {name: content for name, content in files(tmp_path).items() if UNNAMED not in name}
        assert found == {name: good[name] for name in found}
        assert "manifest.parquet" not in found or found.keys() == good.keys()
    left = syncs
    write_tiny(tmp_path, SAMPLES, REJECTS)
    assert files(tmp_path) == good


def test_leftovers_of_an_attempt_go_and_other_files_stay(tmp_path: Path, good: dict[str, bytes]) -> None:
    write_tiny(tmp_path, tiny_samples(12, 8))
    leftovers = (
        "train/phq-train-000031-0123456789ab.tar",
        "train/phq-train-000003-0123456789ab.tar.tmp",
        "manifest.parquet.tmp",
    )
    mine = dict.fromkeys(("sheets/contact-sheet.png", "overlays/smpl.parquet", "notes.tmp", "train/a.txt"), b"mine")
    for name, content in (dict.fromkeys(leftovers, b"half") | mine).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    write_tiny(tmp_path, SAMPLES, REJECTS)
    assert files(tmp_path) == good | mine


@pytest.mark.parametrize(
    "name", ["README.md", "manifest.parquet", "val-index.json", "train/other-0.tar", "contact-sheet.png"]
)
def test_a_folder_with_somebody_elses_files_is_refused_and_untouched(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"something of the user's")
    with pytest.raises(OutputError, match=name):
        check_folder(tmp_path)
    with pytest.raises(OutputError, match=name):
        write_tiny(tmp_path, SAMPLES)
    assert files(tmp_path) == {name: b"something of the user's"}


def test_an_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"x")
    with pytest.raises(OutputError, match="is a file"):
        write_tiny(tmp_path / "out", SAMPLES)


def test_nothing_kept_is_a_dataset_too(tmp_path: Path) -> None:
    write_tiny(tmp_path, [], REJECTS)
    table = read_table(tmp_path / "manifest.parquet")
    assert (table.num_rows, table.schema) == (0, arrow_schema())
    assert json.loads((tmp_path / "train-index.json").read_bytes())["shardlist"][0]["nsamples"] == 0
    write_tiny(tmp_path, SAMPLES, REJECTS)


def test_only_splits_that_exist_are_declared(tmp_path: Path) -> None:
    write_tiny(tmp_path, [tiny_sample(1, "val")])
    assert not (tmp_path / "train").exists()
    assert "train/*.tar" not in (tmp_path / "README.md").read_text("utf-8")


def test_members_are_fetched_one_sample_at_a_time(tmp_path: Path) -> None:
    members = {s.row["key"]: s.members for s in SAMPLES}
    fetched: list[str] = []

    def fetch(row: dict[str, object]) -> dict[str, bytes]:
        fetched.append(str(row["key"]))
        return members[str(row["key"])]

    names = {"jpg_size": "jpg", "json_size": "json", "mask_size": "mask.png"}
    kept = [s.row | {column: len(s.members[name]) for column, name in names.items()} for s in SAMPLES]
    write_dataset(tmp_path, kept, [], fetch, {}, CARD)
    assert sorted(fetched) == sorted(members)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (TinySample(SAMPLES[1].row, SAMPLES[0].members), "not the hash"),
        (TinySample(SAMPLES[1].row | {"split": "test"}, SAMPLES[1].members), "'test'"),
        (SAMPLES[0], r"2 samples have the key \w+ \(photos/0000.jpg, photos/0000.jpg\)"),
        (TinySample({**SAMPLES[1].row, "blur": None}, SAMPLES[1].members), "blur"),
    ],
)
def test_what_would_break_the_format_is_an_error(tmp_path: Path, broken: TinySample, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        write_tiny(tmp_path, [SAMPLES[0], broken])
    assert not (tmp_path / "manifest.parquet").exists()
