"""Overlays: what they change when read, and what may be written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_datasets import TinySample, tiny_samples, write_tiny

from phq.dataset.overlays import (
    apply_overlays,
    check_name,
    names_up_to,
    open_overlay,
    overlay_file,
    stack_names,
    write_overlay,
)
from phq.dataset.reader import Dataset
from phq.dataset.root import Root
from phq.dataset.tables import arrow_schema
from phq.errors import InputError, OutputError
from phq.schema import SCHEMA_VERSION, make_sample, sample_to_json

SAMPLES: list[TinySample] = sorted(tiny_samples(9, 4), key=lambda sample: str(sample.row["key"]))
KEYS: list[str] = [sample.row["key"] for sample in SAMPLES]
REJECTED = {"key": "0" * 16, "decision": "rejected", "reason": "blurred", "detail": "", "split": ""}
COPY = {"key": KEYS[3], "decision": "rejected", "reason": "exact_duplicate", "detail": "", "split": ""}
ABOUT = {"command": "phq annotate", "stages": ["pose"], "version": "0.1.0"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("overlays") / "heads"
    write_tiny(folder, SAMPLES, [{}, REJECTED, COPY])
    return folder


@pytest.fixture
def heads_copy(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "heads"))


def _put(folder: Path, name: str, keys: Sequence[str], **values: Any) -> None:
    write_overlay(folder, name, [{"key": key, **values} for key in keys], list(values), ABOUT)


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- applying -------------------------------------------------------------------------------------------------------


def _slowly_applied(rows: list[dict[str, Any]], overlays: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    names = list(dict.fromkeys(name for table in (rows, *overlays) for row in table for name in row))
    result = [dict.fromkeys(names) | row for row in rows]
    for overlay in overlays:
        for said in overlay:
            for row in result:
                if row["key"] == said["key"]:
                    row.update(said)
    return result


@pytest.mark.parametrize("seed", range(20))
def test_applying_is_what_going_through_the_rows_one_by_one_gives(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 30))
    keys = [None if rng.random() < 0.1 else f"{rng.integers(40):016x}" for _ in range(count)]
    rows = [{"key": key, "yaw": float(rng.normal()), "cam": rng.normal(size=3).tolist(), "text": "a"} for key in keys]
    overlays = []
    for number in range(int(rng.integers(0, 4))):
        names = [name for name in ("yaw", "cam", "text", "weight") if rng.random() < 0.6] or ["yaw"]
        values = {"yaw": float(number), "cam": [0.0, 1.0, float(number)], "text": f"é{number}", "weight": number}
        overlays.append([{"key": f"{k:016x}", **{n: values[n] for n in names}} for k in range(0, 40, number + 1)])
    table = pa.table({name: [row[name] for row in rows] for name in rows[0]})
    split = pa.concat_tables([table.slice(0, count // 2), table.slice(count // 2)])  # two chunks
    applied = apply_overlays(split, [pa.Table.from_pylist(overlay) for overlay in overlays])
    assert applied.to_pylist() == _slowly_applied(rows, overlays)
    assert applied.column_names[:4] == table.column_names


def test_applying_nothing_and_to_nothing() -> None:
    table = pa.table({"key": ["a", "b"], "blur": [1.0, 2.0]})
    empty = pa.table({"key": pa.array([], pa.string()), "blur": pa.array([], pa.float64())})
    assert apply_overlays(table, []) is table
    assert apply_overlays(table, [empty]).equals(table)
    assert apply_overlays(empty, [table]).num_rows == 0


# --- reading --------------------------------------------------------------------------------------------------------


def test_a_state_is_the_stack_up_to_its_name(heads_copy: Path) -> None:
    _put(heads_copy, "one", KEYS[:4], camera_yaw_deg=1.0, blur=1.0)
    _put(heads_copy, "two", KEYS[2:6], camera_yaw_deg=2.0)
    built = [sample.row["camera_yaw_deg"] for sample in SAMPLES]
    states = {
        None: built,
        "none": built,
        "one": [1.0] * 4 + built[4:],
        "two": [1.0] * 2 + [2.0] * 4 + built[6:],
        "latest": [1.0] * 2 + [2.0] * 4 + built[6:],
    }
    for state, expected in states.items():
        dataset = Dataset(heads_copy, revision=state)
        assert dataset.columns(["camera_yaw_deg"])["camera_yaw_deg"].to_pylist() == expected
        assert [item.sample.camera_yaw_deg for item in dataset] == expected
        assert dataset.table.to_pylist() == [item.row for item in dataset]
    assert Dataset(heads_copy).overlays == ["one", "two"]
    assert Dataset(heads_copy)[3].row["blur"] == 1.0  # of the lower one
    with pytest.raises(InputError, match=r"no overlay 'three'; it has: none, one, two, latest"):
        Dataset(heads_copy, revision="three")


def test_what_no_overlay_touched_keeps_its_bytes_and_the_rest_is_encoded_again(heads_copy: Path) -> None:
    _put(heads_copy, "pose", [KEYS[1], KEYS[4]], cam2world=np.arange(16) / 8, margin=3.0)
    _put(heads_copy, "margins", KEYS, margin=4.0, weight=0.5)  # nothing that a sample's json has
    for item, sample in zip(Dataset(heads_copy), SAMPLES, strict=True):
        changed = item.key in (KEYS[1], KEYS[4])
        fields = json.loads(sample.members["json"]) | ({"cam2world": np.arange(16) / 8} if changed else {})
        assert item.encoded() == sample.members | {"json": sample_to_json(make_sample(fields))}
        assert (item.encoded() == sample.members) == (not changed)
        assert item.read("json") == sample.members["json"]
        assert item.sample == make_sample(fields)
        assert (item.row["margin"], item.row["weight"]) == (4.0, 0.5)


def test_a_json_that_was_stored_otherwise_is_not_encoded_again(tmp_path: Path) -> None:
    spaced = []
    for sample in SAMPLES:
        other = json.dumps(json.loads(sample.members["json"]), indent=1).encode()
        spaced.append(replace(sample, members=sample.members | {"json": other}))
    write_tiny(tmp_path / "heads", spaced)
    assert [item.encoded() for item in Dataset(tmp_path / "heads")] == [sample.members for sample in spaced]


def test_decisions_and_splits_are_taken_again(heads_copy: Path) -> None:
    _put(heads_copy, "strict", KEYS[:2], decision="rejected", reason="blurred")
    _put(heads_copy, "folds", KEYS[1:5], split="test")
    dataset = Dataset(heads_copy)
    assert dataset.keys == KEYS[2:]
    assert Dataset(heads_copy, revision="none").keys == KEYS
    assert Dataset(heads_copy, split="test").keys == KEYS[2:5]
    assert Dataset(heads_copy, split="train").keys == [
        sample.row["key"] for sample in SAMPLES[5:] if sample.row["split"] == "train"
    ]
    everything = Dataset(heads_copy, rejects=True)
    assert everything.keys == [*KEYS, "", REJECTED["key"], KEYS[3]]
    assert everything[0].row["reason"] == "blurred"
    assert everything[0].read("jpg") == SAMPLES[0].members["jpg"]  # thrown out since, but stored
    with pytest.raises(InputError, match=r"no split 'fold'; it has: test, train, val"):
        Dataset(heads_copy, split="fold")


def test_columns_of_an_overlay_are_null_where_it_says_nothing_and_can_be_filtered(heads_copy: Path) -> None:
    _put(heads_copy, "review", KEYS[:3], reviewer="ada", stars=4)
    dataset = Dataset(heads_copy)
    assert dataset.columns(["stars"])["stars"].to_pylist() == [4, 4, 4, *[None] * (len(KEYS) - 3)]
    assert dataset.filter("reviewer = 'ada' AND stars > 3").keys == KEYS[:3]
    assert (dataset[5].row["reviewer"], dataset[0].row["reviewer"]) == (None, "ada")
    with pytest.raises(InputError, match='"reviewer"'):
        dataset.filter("reviewr = 'ada'")


def test_an_overlay_may_speak_of_rejects_and_of_the_stored_one_of_two_copies(heads_copy: Path) -> None:
    _put(heads_copy, "v2", sorted([KEYS[3], "0" * 16]), detail="looked at")
    details = {(item.key, item.row["reason"]): item.row["detail"] for item in Dataset(heads_copy, rejects=True)}
    assert details["0" * 16, "blurred"] == "looked at"
    assert details[KEYS[3], ""] == "looked at"
    assert details[KEYS[3], "exact_duplicate"] == ""
    assert Dataset(heads_copy, rejects=True).table.to_pylist() == [
        item.row for item in Dataset(heads_copy, rejects=True)
    ]


def test_an_overlay_of_many_row_groups_is_read_row_by_row(heads_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phq.dataset.overlays.ROWS_PER_GROUP", 3)
    rows = [{"key": key, "blur": float(number)} for number, key in enumerate(KEYS)]
    write_overlay(heads_copy, "v2", rows, ["blur"], ABOUT)
    assert pq.read_metadata(heads_copy / overlay_file("v2")).num_row_groups == 5
    assert [item.row["blur"] for item in Dataset(heads_copy)] == [float(n) for n in range(len(KEYS))]


def test_columns_read_some_rows_at_a_time_are_the_columns(heads_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phq.dataset.overlays.ROWS_PER_GROUP", 3)
    _put(heads_copy, "v2", sorted([*KEYS[2:9], "0" * 16]), blur=0.5, stars=4)
    _put(heads_copy, "v3", sorted([KEYS[3], KEYS[8]]), detail="looked at")
    names = ["key", "blur", "stars", "detail", "keypoints_2d", "reason"]
    whole = Dataset(heads_copy, rejects=True)
    for dataset in (whole, whole.filter("blur = 0.5"), whole[:4]):
        read = [row for table in dataset.batches(names) for row in table.to_pylist()]
        assert read == dataset.columns(names).to_pylist() and len(read) == len(dataset)
    with pytest.raises(KeyError, match="no column moon"):
        list(Dataset(heads_copy).batches(["moon"]))
    with pytest.raises(ValueError, match="another order"):
        list(Dataset(heads_copy)[::-1].batches(names))


def test_the_shards_stay_what_they_are(heads_copy: Path) -> None:
    before = _contents(heads_copy)
    _put(heads_copy, "v2", KEYS, camera_yaw_deg=0.0)
    after = _contents(heads_copy)
    assert after.keys() - before.keys() == {overlay_file("v2")}
    assert {name for name in before if before[name] != after[name]} == {"run.json"}


@pytest.mark.parametrize("harm", ["missing", "foreign", "damaged", "newer"])
def test_an_overlay_that_cannot_be_used_is_named(heads_copy: Path, harm: str) -> None:
    _put(heads_copy, "v2", KEYS[:1], blur=0.0)
    path = heads_copy / overlay_file("v2")
    if harm == "missing":
        path.unlink()
    elif harm == "foreign":
        shutil.copy(heads_copy / "manifest.parquet", path)
    elif harm == "damaged":
        path.write_bytes(path.read_bytes()[:-9])
    else:
        table = pq.read_table(path, use_threads=False)
        pq.write_table(table.replace_schema_metadata({"schema_version": "phq/99", "kind": "overlay"}), path)
    with pytest.raises(InputError, match=r"overlays/v2\.parquet"):
        Dataset(heads_copy)
    assert len(Dataset(heads_copy, revision="none")) == len(KEYS)


@pytest.mark.parametrize("overlays", ["v2", [3], ["../x"], {"v2": 1}])
def test_a_stack_in_run_json_that_is_none_is_refused(overlays: Any) -> None:
    with pytest.raises(InputError):
        stack_names({"overlays": overlays})


def test_a_run_without_overlays_has_none() -> None:
    assert stack_names({}) == names_up_to({}, "latest") == []


# --- writing --------------------------------------------------------------------------------------------------------


def test_what_is_written_is_read_sorted_typed_and_described(heads_copy: Path) -> None:
    rows = [
        {"key": key, "intrinsics": np.eye(3) * (1 / 3), "camera_yaw_deg": 7, "weight": 0.25, "good": True}
        for key in KEYS[::-1]
    ]
    write_overlay(heads_copy, "v2", iter(rows), ["intrinsics", "camera_yaw_deg", "weight", "good"], ABOUT)
    table = open_overlay(Root(heads_copy), "v2").read()
    assert table["key"].to_pylist() == KEYS
    assert table["camera_yaw_deg"].to_pylist() == [7.0] * len(KEYS)
    assert table["intrinsics"][0].as_py() == [0.333333333, 0, 0, 0, 0.333333333, 0, 0, 0, 0.333333333]
    assert table.schema.field("intrinsics") == arrow_schema().field("intrinsics")
    assert table.schema.field("good").type == pa.bool_()
    notes = open_overlay(Root(heads_copy), "v2").notes
    assert {name: notes[name] for name in ("schema_version", "kind", "name")} == {
        "schema_version": SCHEMA_VERSION,
        "kind": "overlay",
        "name": "v2",
    }
    assert json.loads(notes["about"]) == ABOUT
    assert json.loads((heads_copy / "run.json").read_bytes())["overlays"] == ["v2"]


def test_the_same_rows_in_any_order_give_the_same_bytes(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phq.dataset.overlays.ROWS_PER_GROUP", 4)
    rows = [{"key": key, "blur": float(ord(key[0]))} for key in KEYS]
    written = []
    for number, order in enumerate((rows, rows[::-1], rows[5:] + rows[:5])):
        folder = Path(shutil.copytree(built, tmp_path / str(number)))
        write_overlay(folder, "v2", order, ["blur"], dict(reversed(ABOUT.items())) if number else ABOUT)
        written.append(_contents(folder))
    assert written[0] == written[1] == written[2]


def test_an_overlay_may_say_nothing(heads_copy: Path) -> None:
    write_overlay(heads_copy, "v2", [], ["camera_yaw_deg"], ABOUT)
    dataset = Dataset(heads_copy)
    assert dataset.overlays == ["v2"]
    assert [item.encoded() for item in dataset] == [sample.members for sample in SAMPLES]
    assert dataset.table.equals(Dataset(heads_copy, revision="none").table)


@pytest.mark.parametrize("name", ["v2", "2", "A.b_c-d", "a" * 64, "None"])
def test_names_that_can_be(heads_copy: Path, name: str) -> None:
    check_name(name)
    write_overlay(heads_copy, name, [], ["blur"], {})
    assert Dataset(heads_copy, revision=name).overlays[-1] == name


@pytest.mark.parametrize("name", ["", "none", "latest", ".v2", "-v2", "a/b", "a\\b", "é", "a" * 65, "v2\n", "a b"])
def test_names_that_cannot_be(heads_copy: Path, name: str) -> None:
    before = _contents(heads_copy)
    with pytest.raises(InputError, match="cannot be called"):
        _put(heads_copy, name, KEYS[:1], blur=1.0)
    assert _contents(heads_copy) == before


GOOD = {"key": KEYS[0], "blur": 1.0}


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        ([GOOD], [], "at least one"),
        ([GOOD], ["blur", "blur"], "each once"),
        ([{**GOOD, "jpg_offset": 3}], ["blur", "jpg_offset"], "cannot change jpg_offset"),
        ([{**GOOD, "shard": "x"}], ["blur", "shard"], "cannot change shard"),
        ([GOOD], ["key", "blur"], "cannot change key"),
        ([{"key": KEYS[0], "a b": 1}], ["a b"], "name of a column"),
        ([GOOD, {**GOOD, "blur": 2.0}], ["blur"], f"{KEYS[0]} has 2"),
        ([{"key": KEYS[0]}], ["blur"], "must have a value for each of key, blur"),
        ([{**GOOD, "noise": 1.0}], ["blur"], "must have a value for each of key, blur"),
        ([{**GOOD, "blur": None}], ["blur"], "must have a value for each of key, blur"),
        ([{**GOOD, "blur": "1"}], ["blur"], "blur is '1', expected float"),
        ([{"key": KEYS[0], "cam2world": [1.0] * 9}], ["cam2world"], "expected 16 × float"),
        ([{"key": KEYS[0], "extra": [1.0]}], ["extra"], "expected a string, a number or a boolean"),
        ([{"key": KEYS[0], "w": 1.0}, {"key": KEYS[1], "w": 1}], ["w"], "w holds 1, expected double"),
        ([{"key": KEYS[0], "w": 1}, {"key": KEYS[1], "w": True}], ["w"], "w holds True, expected int64"),
        ([{"key": 17, "blur": 1.0}], ["blur"], "key is 17"),
    ],
)
def test_rows_that_break_the_rules_are_named_and_nothing_is_changed(
    heads_copy: Path, rows: list[dict[str, Any]], columns: list[str], message: str
) -> None:
    before = _contents(heads_copy)
    with pytest.raises(ValueError, match=message):
        write_overlay(heads_copy, "v2", rows, columns, ABOUT)
    assert _contents(heads_copy) == before


def test_a_key_the_dataset_does_not_have_is_refused(heads_copy: Path) -> None:
    before = _contents(heads_copy)
    with pytest.raises(InputError, match=r"no sample eeeeeeeeeeeeeeee.*\(2 such keys\)"):
        _put(heads_copy, "v2", ["f" * 16, KEYS[0], "e" * 16], blur=1.0)
    assert _contents(heads_copy) == before


def test_a_name_is_used_once(heads_copy: Path) -> None:
    _put(heads_copy, "v2", KEYS[:1], blur=1.0)
    before = _contents(heads_copy)
    for same in ("v2", "V2"):  # one file, where a disk does not tell capitals apart
        with pytest.raises(InputError, match="already has an overlay v2"):
            _put(heads_copy, same, KEYS[:1], blur=2.0)
    assert _contents(heads_copy) == before


def test_an_overlay_is_put_on_the_stack_that_it_was_made_for_or_not_at_all(heads_copy: Path) -> None:
    rows = [{"key": KEYS[0], "blur": 1.0}]
    write_overlay(heads_copy, "first", rows, ["blur"], {}, read={})
    before = _contents(heads_copy)
    with pytest.raises(OutputError, match="meanwhile"):
        write_overlay(heads_copy, "second", rows, ["blur"], {}, read={})
    assert _contents(heads_copy) == before
    write_overlay(heads_copy, "second", rows, ["blur"], {}, read={"overlays": ["first"]})
    assert Dataset(heads_copy).overlays == ["first", "second"]


def test_an_overlay_out_of_force_is_replaced_but_no_file_of_somebody_elses(heads_copy: Path) -> None:
    (heads_copy / "overlays").mkdir()
    (heads_copy / overlay_file("notes")).write_bytes(b"mine")
    with pytest.raises(InputError, match="notes"):
        _put(heads_copy, "notes", KEYS[:1], blur=1.0)
    assert (heads_copy / overlay_file("notes")).read_bytes() == b"mine"
    run = (heads_copy / "run.json").read_bytes()
    _put(heads_copy, "v2", KEYS[:1], blur=1.0)
    (heads_copy / "run.json").write_bytes(run)  # as after another build into the same folder
    assert Dataset(heads_copy).overlays == []
    _put(heads_copy, "v2", KEYS[:1], blur=2.0)
    assert Dataset(heads_copy)[0].row["blur"] == 2.0


def test_a_folder_that_is_no_dataset_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_bytes(b"mine")
    with pytest.raises((InputError, OutputError)):
        _put(tmp_path, "v2", KEYS[:1], blur=1.0)
    assert _contents(tmp_path) == {"mine.txt": b"mine"}
