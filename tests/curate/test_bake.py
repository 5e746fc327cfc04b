"""New shards with the overlays folded in, and records of older versions brought up to date."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from file_faults import count_changes, kill_at
from labelled_samples import labelled_sample, labels
from tiny_datasets import CARD, TinySample, write_tiny

import phq
from phq.config.build import load_config
from phq.curate.bake import bake
from phq.curate.migrations import MIGRATIONS, Migration, migrated
from phq.dataset.folder import TOMBSTONES
from phq.dataset.overlays import open_overlay, write_overlay
from phq.dataset.reader import Dataset
from phq.dataset.root import Root
from phq.dataset.tombstones import Tombstone, read_tombstones, write_tombstones
from phq.dataset.write import write_dataset
from phq.errors import InputError, OutputError
from phq.people.record import PersonBox
from phq.schema import PROVENANCE, Sample
from phq.weights.licences import Model

MODEL = {"name": "newnet", "purpose": "angles", "licence": "MIT", "source": "somewhere"}
STATED = dict.fromkeys(PROVENANCE, "")
REJECT = {"key": "f" * 16, "source_path": "x.jpg", "decision": "rejected", "reason": "blurred", "blur": 0.1, **STATED}


def files(folder: Path, pattern: str = "*") -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob(pattern)) if p.is_file()}


def tables(folder: Path, name: str) -> list[dict]:
    return pq.read_table(folder / name).to_pylist()


@pytest.fixture
def samples() -> list[TinySample]:
    return sorted((labelled_sample(n, "val" if n > 9 else "train") for n in range(12)), key=lambda s: s.row["key"])


@pytest.fixture
def dataset(tmp_path: Path, samples: list[TinySample]) -> Path:
    """Twelve samples, one reject; overlay ``v2`` turns the first, throws out the second, moves the third to val."""
    folder = tmp_path / "ds"
    write_tiny(folder, samples, [REJECT])
    (first, second, third), same = (s.row for s in samples[:3]), {"decision": "kept", "reason": ""}
    rows = [
        {"key": first["key"], "split": first["split"], **same, **labels(77.0)},
        {"key": second["key"], "split": second["split"], "decision": "rejected", "reason": "blurred", **labels(5.0)},
        {"key": third["key"], "split": "val", **same, **labels(third["camera_yaw_deg"])},
    ]
    config = load_config("everything", size=99).model_dump(mode="json")
    about = {"command": "annotate", "models": [MODEL], "weights": [MODEL | {"sha256": "0" * 64}], "config": config}
    write_overlay(folder, "v2", rows, [name for name in rows[0] if name != "key"], about)
    return folder


def test_none_gives_the_same_shards_tables_and_card_byte_for_byte(dataset: Path, tmp_path: Path):
    before = files(dataset)
    result = bake(dataset, tmp_path / "out", "none")
    assert files(dataset) == before
    assert (result.kept, result.rejected, result.overlays) == (12, 1, [])
    now = files(tmp_path / "out")
    assert files(tmp_path / "out", "*.tar") == files(dataset, "*.tar")
    for name in ("manifest.parquet", "rejects.parquet", "schema.json", "train-index.json", "val-index.json"):
        assert now[name] == before[name], name
    assert now["README.md"].decode() == before["README.md"].decode().replace("phq 0.0.", f"phq {phq.__version__}.")


def test_the_state_is_what_a_reader_sees_of_it(dataset: Path, tmp_path: Path, samples: list[TinySample]):
    result = bake(dataset, tmp_path / "out", "v2")
    state, baked = Dataset(dataset, revision="v2"), Dataset(tmp_path / "out")
    assert result.overlays == ["v2"]
    assert baked.overlays == []
    assert baked.keys == state.keys
    for key in state.keys:
        assert baked[key].encoded() == state[key].encoded()
        assert baked[key].row["split"] == state[key].row["split"]
        assert hashlib.sha256(baked[key].read("jpg")).hexdigest()[:16] == key
    first, second, third = (s.row["key"] for s in samples[:3])
    assert baked[first].sample.camera_yaw_deg == 77.0
    assert third in Dataset(tmp_path / "out", split="val").keys
    assert second not in baked


def test_who_left_is_a_reject_after_those_there_were(dataset: Path, tmp_path: Path, samples: list[TinySample]):
    bake(dataset, tmp_path / "out")
    old, new = tables(tmp_path / "out", "rejects.parquet")
    assert (old["key"], old["blur"]) == (REJECT["key"], 0.1)
    second = samples[1].row
    assert (new["key"], new["reason"], new["split"], new["shard"]) == (second["key"], "blurred", "", "")
    assert new["jpg_offset"] is None
    assert new["camera_yaw_deg"] == 5.0


def test_run_and_card_say_where_it_came_from_and_what_touched_it(dataset: Path, tmp_path: Path):
    bake(dataset, tmp_path / "out")
    run = json.loads((tmp_path / "out/run.json").read_text())
    assert run["command"] == "bake"
    assert run["sources"][0]["seed"] == 1  # of the dataset it was
    assert run["details"]["overlays"][0]["name"] == "v2"
    assert run["config"]["size"] == 99
    assert run["overlays"] == []
    assert [w["name"] for w in run["weights"]] == ["newnet"]
    assert {m["name"] for m in run["card"]["models"]} == {*(m.name for m in CARD.models), "newnet"}
    card = (tmp_path / "out/README.md").read_text()
    assert "RangiLyu/nanodet" in card
    assert "newnet" in card


def test_a_reject_without_a_picture_stays_one_whatever_an_overlay_says(dataset: Path, tmp_path: Path):
    said = {"key": REJECT["key"], "decision": "kept", "reason": "", "blur": 0.9}
    write_overlay(dataset, "v3", [said], ["decision", "reason", "blur"], {})
    bake(dataset, tmp_path / "out")
    row = tables(tmp_path / "out", "rejects.parquet")[0]
    assert (row["decision"], row["reason"], row["blur"]) == ("rejected", "blurred", 0.9)


def test_columns_of_an_overlays_own_stay_an_overlay(dataset: Path, tmp_path: Path, samples: list[TinySample]):
    keys = [sample.row["key"] for sample in samples[:3]]
    rows = [{"key": key, "weight": n / 2, "luminance": 0.25} for n, key in enumerate(keys)]
    write_overlay(dataset, "weighed", rows, ["weight", "luminance"], {"who": "me"})
    assert bake(dataset, tmp_path / "out").carried == ["weighed"]
    overlay = open_overlay(Root(tmp_path / "out"), "weighed").read()
    assert overlay["key"].to_pylist() == [keys[0], keys[2]]
    assert overlay["weight"].to_pylist() == [0.0, 1.0]
    assert overlay.column_names == ["key", "weight"]
    assert Dataset(tmp_path / "out", revision="none")[keys[0]].row["luminance"] == 0.25


def test_tombstones_are_carried_over(dataset: Path, tmp_path: Path):
    stone = Tombstone("ab" * 32, "2026-01-02", "asked for")
    write_tombstones(dataset / TOMBSTONES, [stone])
    bake(dataset, tmp_path / "out")
    assert read_tombstones(tmp_path / "out") == [stone]


def without_columns(path: Path, names: tuple[str, ...]) -> None:
    pq.write_table(pq.read_table(path).drop_columns(list(names)), path)


@pytest.fixture
def older(tmp_path: Path, samples: list[TinySample]) -> Path:
    """A dataset as it was before provenance: neither the jsons nor the tables have the fields, nor run.json a card."""
    folder = tmp_path / "older"
    write_tiny(folder, samples, [REJECT])
    for name in ("manifest.parquet", "rejects.parquet"):
        without_columns(folder / name, PROVENANCE)
    run = json.loads((folder / "run.json").read_text())
    del run["card"]
    (folder / "run.json").write_text(json.dumps(run | {"weights": [MODEL | {"sha256": "1" * 64}]}))
    return folder


def test_records_from_before_provenance_say_that_it_is_unknown(older: Path, tmp_path: Path, samples: list[TinySample]):
    result = bake(older, tmp_path / "out")
    assert result.migrations == {"provenance": 13}
    for sample in samples:
        record = Dataset(tmp_path / "out")[sample.row["key"]].sample
        assert record == Sample.model_validate({n: sample.row[n] for n in Sample.model_fields})
        assert [getattr(record, name) for name in PROVENANCE] == [""] * len(PROVENANCE)
    assert json.loads((tmp_path / "out/run.json").read_text())["details"]["migrations"] == {"provenance": 13}
    assert "newnet" in (tmp_path / "out/README.md").read_text()
    again = bake(tmp_path / "out", tmp_path / "again")
    assert again.migrations == {}
    assert files(tmp_path / "again", "*.tar") == files(tmp_path / "out", "*.tar")


def from_degrees_the_other_way(record: dict) -> dict:
    return record | {"camera_convention": "phq-neck/1", "camera_yaw_deg": -record["camera_yaw_deg"]}


def test_an_older_convention_is_refused_without_a_step_and_brought_up_to_date_with_one(tmp_path: Path):
    members = {}
    rows = []
    for n in range(3):
        old = labelled_sample(n, camera_convention="phq-neck/0", camera_yaw_deg=-10.0 * n)
        rows.append(old.row)
        members[old.row["key"]] = old.members
    write_dataset(tmp_path / "ds", rows, [], lambda row: members[row["key"]], {}, replace(CARD, title="Old"))
    with pytest.raises(InputError, match="phq-neck/0"):
        bake(tmp_path / "ds", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    step = Migration(
        "sign of the yaw", lambda record: record["camera_convention"] == "phq-neck/0", from_degrees_the_other_way
    )
    result = bake(tmp_path / "ds", tmp_path / "out", migrations=(*MIGRATIONS, step))
    assert result.migrations == {"sign of the yaw": 3}
    baked = Dataset(tmp_path / "out")
    assert sorted(item.sample.camera_yaw_deg for item in baked) == [0.0, 10.0, 20.0]
    assert {item.sample.camera_convention for item in baked} == {"phq-neck/1"}
    assert json.loads((tmp_path / "out/run.json").read_text())["card"]["title"] == "Old"


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ({"schema_version": "phq/9"}, "schema version 'phq/9'"),
        ({"camera_convention": "mine/1"}, "camera convention 'mine/1'"),
        ({"haircut": "short"}, "field 'haircut'"),
    ],
)
def test_what_no_step_leads_from_is_named(record: dict, text: str):
    with pytest.raises(InputError, match=text):
        migrated(record)


def test_records_of_before_state_nothing_of_the_head():
    row = labelled_sample(0, headpose_network="x:1", head_direction="back", head_direction_score=0.9).row
    new = [name for name in row if name.startswith(("headpose_", "head_direction"))]
    old = {name: value for name, value in row.items() if name not in new}
    record, steps = migrated(old)
    assert steps == ["head direction", "head pose"]
    assert {name: record[name] for name in new} == dict.fromkeys(new, 0.0) | dict.fromkeys(
        ("headpose_network", "headpose_gate", "head_direction"), ""
    )
    with pytest.raises(InputError, match="no head_direction: an older phq made it, and phq bake brings it"):
        PersonBox.of(old)
    assert migrated({"key": "f" * 16, "reason": "truncated", **STATED})[1] == []  # nobody was found there


def test_steps_follow_each_other():
    steps = (
        Migration("one", lambda r: r["schema_version"] == "phq/-1", lambda r: r | {"schema_version": "phq/0"}),
        Migration("two", lambda r: r["schema_version"] == "phq/0", lambda r: r | {"schema_version": "phq/1"}),
    )
    assert migrated({"schema_version": "phq/-1"}, steps) == ({"schema_version": "phq/1"}, ["one", "two"])
    assert migrated({"schema_version": "phq/1"}, steps) == ({"schema_version": "phq/1"}, [])


def test_the_output_is_never_a_dataset_or_inside_one(dataset: Path, tmp_path: Path):
    bake(dataset, tmp_path / "out")
    with pytest.raises(OutputError, match="already holds a dataset"):
        bake(dataset, tmp_path / "out")
    with pytest.raises(OutputError, match="inside the dataset itself"):
        bake(dataset, dataset / "out")
    with pytest.raises(InputError, match="none, v2, latest"):
        bake(dataset, tmp_path / "other", "v7")


def test_an_interrupted_bake_is_started_again_and_gives_the_same_bytes(dataset: Path, tmp_path: Path, monkeypatch):
    bake(dataset, tmp_path / "whole")
    real, calls = Root.read, []

    def fails_later(self, *arguments):
        calls.append(arguments)
        if len(calls) == 15:
            raise KeyboardInterrupt
        return real(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Root, "read", fails_later)
        with pytest.raises(KeyboardInterrupt):
            bake(dataset, tmp_path / "cut")
    assert not (tmp_path / "cut/manifest.parquet").exists()
    bake(dataset, tmp_path / "cut")
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_columns_of_an_overlays_own_are_there_as_soon_as_the_dataset_is(
    dataset: Path, tmp_path: Path, samples: list[TinySample]
):
    rows = [{"key": sample.row["key"], "weight": n / 2} for n, sample in enumerate(samples)]
    write_overlay(dataset, "mine", rows, ["weight"], {})
    bake(dataset, tmp_path / "whole")
    folder, states = tmp_path / "cut", set()
    for number in range(count_changes(tmp_path / "counted", lambda: bake(dataset, tmp_path / "counted"))):
        assert not kill_at(number, folder, lambda: bake(dataset, folder))
        if (folder / "manifest.parquet").exists():
            states.add(tuple(Dataset(folder).overlays))
            shutil.rmtree(folder)
    assert states <= {("mine",)}
    shutil.rmtree(folder, ignore_errors=True)
    bake(dataset, folder)
    assert files(folder) == files(tmp_path / "whole")


def test_a_damaged_shard_is_named(dataset: Path, tmp_path: Path):
    shard = sorted((dataset / "train").glob("*.tar"))[-1]
    shard.write_bytes(shard.read_bytes()[:700])
    with pytest.raises(InputError, match=shard.name):
        bake(dataset, tmp_path / "out")
    assert not (tmp_path / "out/manifest.parquet").exists()


def test_models_appear_once(dataset: Path, tmp_path: Path):
    bake(dataset, tmp_path / "out")
    bake(tmp_path / "out", tmp_path / "again")
    models = json.loads((tmp_path / "again/run.json").read_text())["card"]["models"]
    assert [Model(**m) for m in models] == [*CARD.models, Model(**MODEL)]
    assert isinstance(pq.read_schema(tmp_path / "again/manifest.parquet"), pa.Schema)
