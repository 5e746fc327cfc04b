"""Several datasets in one: each picture once, nothing leaks between the splits, nothing redacted comes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from curated_datasets import files, overlay, person, reject_of, traces, write
from file_faults import kill_at
from tiny_datasets import TinySample

from phq.curate.bake import bake
from phq.curate.merge import merge
from phq.curate.person_numbers import number_people
from phq.curate.redact import redact
from phq.curate.verify.verify import verify
from phq.dataset.reader import Dataset
from phq.dataset.tables import read_table
from phq.dataset.tombstones import tombstoned
from phq.errors import ConfigError, InputError, OutputError


def rows(folder: Path, table: str = "manifest") -> dict[str, dict[str, Any]]:
    return {row["key"] or row["source_path"]: row for row in read_table(folder / f"{table}.parquet").to_pylist()}


def keys(samples: list[TinySample]) -> list[str]:
    return sorted(sample.row["key"] for sample in samples)


def test_samples_of_both_are_there_byte_for_byte(tmp_path: Path) -> None:
    one, two = [person(n) for n in range(6)], [person(n) for n in range(6, 9)] + [person(9, "val")]
    bad = {"source_path": "bad.jpg", "decision": "rejected", "reason": "truncated", "detail": "", "split": ""}
    a, b = write(tmp_path / "a", one, [bad]), write(tmp_path / "b", two, [reject_of(person(30), reason="blurred")])
    done = merge([a, b], tmp_path / "out")
    assert (done.kept, done.rejected, done.same, done.duplicates, done.redacted, done.moved) == (10, 2, 0, 0, 0, 0)
    merged = Dataset(tmp_path / "out")
    members = {sample.row["key"]: sample.members for sample in (*one, *two)}
    assert {item.key: {name: item.read(name) for name in ("jpg", "json", "mask.png")} for item in merged} == members
    assert {item.key: item.row["split"] for item in merged} == {s.row["key"]: s.row["split"] for s in (*one, *two)}
    assert set(rows(tmp_path / "out", "rejects")) == {"bad.jpg", person(30).row["key"]}
    assert verify(tmp_path / "out", workers=1).violations == []
    assert (tmp_path / "out" / "contact-sheet.png").exists()


def test_the_order_of_the_arguments_does_not_matter(tmp_path: Path) -> None:
    parts = [write(tmp_path / "abc"[i], [person(n) for n in range(3 * i, 3 * i + 4)], sheet=False) for i in range(3)]
    merge(parts, tmp_path / "one")
    merge(parts[::-1], tmp_path / "two")
    assert files(tmp_path / "one") == files(tmp_path / "two")
    merge(parts[:2], tmp_path / "half")
    merge([tmp_path / "half", parts[2]], tmp_path / "three")
    assert files(tmp_path / "three").keys() == files(tmp_path / "one").keys()
    same = [name for name in files(tmp_path / "one") if name not in ("run.json", "rejects.parquet")]
    assert {n: files(tmp_path / "three")[n] for n in same} == {n: files(tmp_path / "one")[n] for n in same}


def test_the_first_dataset_s_record_of_a_shared_sample_stays(tmp_path: Path) -> None:
    a = write(tmp_path / "a", [person(1, blur=1.0), person(2)], sheet=False)
    b = write(tmp_path / "b", [person(1, blur=2.0), person(3)], sheet=False)
    for number, order in enumerate(([a, b], [b, a])):
        done = merge(order, tmp_path / str(number))
        assert (done.kept, done.same, done.duplicates) == (3, 1, 0)
        assert rows(tmp_path / str(number))[person(1).row["key"]]["blur"] == number + 1.0


def test_a_refused_consent_is_not_taken_back_by_another_dataset(tmp_path: Path) -> None:
    a = write(tmp_path / "a", [person(1), person(2, consent="yes"), person(3, consent="yes")], sheet=False)
    refused = reject_of(person(3, consent="no"), reason="no_consent")
    b = write(tmp_path / "b", [person(1, consent="no"), person(2, consent="limited")], [refused], sheet=False)
    merge([a, b], tmp_path / "out", keep_duplicates=True)
    found = {row["source_path"]: row["consent"] for row in rows(tmp_path / "out").values()}
    assert [found[person(n).row["source_path"]] for n in (1, 2, 3)] == ["no", "limited", "no"]


def test_duplicates_across_datasets(tmp_path: Path) -> None:
    """Of look-alikes the better is kept; the same picture of another photo is an exact duplicate."""
    small, large = person(1, source_px_per_px=1.0), person(2, source_px_per_px=3.0, phash=person(1).row["phash"])
    told = reject_of(person(40), duplicate_of=small.row["key"], detail=f"4 bits from {small.row['key']}")
    a = write(tmp_path / "a", [small, person(3)], [told], sheet=False)
    b = write(tmp_path / "b", [large, person(3, source_path="other.jpg", source_sha256="3" * 64)], sheet=False)
    done = merge([a, b], tmp_path / "out")
    assert sorted(rows(tmp_path / "out")) == keys([large, person(3)])
    assert (done.duplicates, done.rejected) == (2, 3)
    found = rows(tmp_path / "out", "rejects")
    assert found[small.row["key"]]["reason"] == "duplicate"
    assert found[small.row["key"]]["duplicate_of"] == found[person(40).row["key"]]["duplicate_of"] == large.row["key"]
    assert found[person(3).row["key"]]["reason"] == "exact_duplicate"
    assert verify(tmp_path / "out", workers=1).violations == []
    recorded = merge([a, b], tmp_path / "all", keep_duplicates=True)
    assert (recorded.kept, recorded.duplicates) == (3, 1)
    assert rows(tmp_path / "all")[small.row["key"]]["duplicate_of"] == large.row["key"]


def test_paths_that_mean_different_photos_are_told_apart(tmp_path: Path) -> None:
    first, second = person(1, source_path="x.jpg"), person(2, source_path="x.jpg")
    copy = reject_of(person(41), duplicate_of=second.row["key"], detail=f"2 bits from {second.row['key']} of x.jpg")
    a = write(tmp_path / "a" / "set", [first, person(3)], sheet=False)
    b = write(tmp_path / "b" / "set", [second, person(4)], [copy], sheet=False)
    merge([a, b], tmp_path / "out")
    merged = rows(tmp_path / "out")
    assert merged[first.row["key"]]["source_path"] == "set/x.jpg"
    assert merged[second.row["key"]]["source_path"] == "set-2/x.jpg"
    assert merged[person(3).row["key"]]["source_path"] == "photos/0003.jpg"
    item = Dataset(tmp_path / "out")[second.row["key"]]
    assert json.loads(item.read("json")) == json.loads(second.members["json"]) | {"source_path": "set-2/x.jpg"}
    said = rows(tmp_path / "out", "rejects")[person(41).row["key"]]["detail"]
    assert said == f"2 bits from {second.row['key']} of set-2/x.jpg"
    assert verify(tmp_path / "out", workers=1).violations == []


def test_a_rejected_person_that_another_dataset_keeps_is_kept(tmp_path: Path) -> None:
    a = write(tmp_path / "a", [person(1)], [reject_of(person(2), reason="blurred", detail="x")], sheet=False)
    b = write(tmp_path / "b", [person(2), person(3)], [reject_of(person(1), reason="noisy", detail="y")], sheet=False)
    done = merge([a, b], tmp_path / "out")
    assert sorted(rows(tmp_path / "out")) == keys([person(1), person(2), person(3)])
    assert (done.same, done.rejected) == (2, 0)


def test_no_photo_person_or_look_alike_is_in_both_splits(tmp_path: Path) -> None:
    shared = {"source_sha256": "9" * 64, "source_path": "p.jpg"}
    left, right = ({"box_x0": x, "box_x1": x + 9.0, "box_y0": 0.0, "box_y1": 9.0} for x in (0.0, 50.0))
    a = [person(1, **shared, **left), person(2, identity="Ann"), person(3, "val")]
    b = [person(4, "val", **shared, **right, person_index=1),
         person(5, "val", identity="Bob; Ann"), person(6, "val", identity="Bob"), person(7, "val", identity="Cleo"),
         person(8, "val")]  # fmt: skip
    done = merge([write(tmp_path / "a", a, sheet=False), write(tmp_path / "b", b, sheet=False)], tmp_path / "out")
    splits = {row["source_path"]: row["split"] for row in rows(tmp_path / "out").values()}
    assert done.moved == 3
    assert {path for path, split in splits.items() if split == "val"} == {f"photos/000{n}.jpg" for n in (3, 7, 8)}
    assert verify(tmp_path / "out", workers=1).violations == []


def test_what_one_dataset_has_redacted_stays_away(tmp_path: Path) -> None:
    a = write(tmp_path / "a", [person(n) for n in range(4)], sheet=False)
    tell = reject_of(person(40), duplicate_of=person(2).row["key"], detail=f"from {person(2).row['key']}")
    thrown = reject_of(person(3), person_index=1, key="0" * 16, reason="blurred", detail="")
    b = write(tmp_path / "b", [person(n) for n in range(2, 6)], [tell, thrown], sheet=False)
    redact(a, [person(2).row["key"]], day="2026-01-01")
    redact(a, source=person(3).row["source_path"], day="2026-01-01")
    done = merge([b, a], tmp_path / "out")
    assert sorted(rows(tmp_path / "out")) == keys([person(n) for n in (0, 1, 4, 5)])
    assert done.redacted == 3
    gone = {"two": person(2).row["key"].encode(), "three": person(3).row["source_sha256"].encode(), "index": b"0" * 16}
    assert traces(tmp_path / "out", gone) == []
    wanted = [person(2).row["key"], person(3).row["source_sha256"], person(4).row["key"]]
    assert tombstoned(tmp_path / "out", wanted) == set(wanted[:2])
    assert verify(tmp_path / "out", workers=1).violations == []


def test_the_state_of_each_dataset_is_what_its_overlays_say(tmp_path: Path) -> None:
    a = write(tmp_path / "a", [person(n) for n in range(3)], sheet=False)
    said = ((7.0, "kept", ""), (8.0, "rejected", "blurred"))
    new = [dict(zip(("blur", "decision", "reason"), values, strict=True)) for values in said]
    overlay(a, "v2", [{"key": person(n).row["key"], **new[n]} for n in range(2)])
    b = write(tmp_path / "b", [person(5)], sheet=False)
    merge([a, b], tmp_path / "out")
    assert sorted(rows(tmp_path / "out")) == keys([person(n) for n in (0, 2, 5)])
    assert Dataset(tmp_path / "out")[person(0).row["key"]].sample.blur == 7.0
    assert rows(tmp_path / "out", "rejects")[person(1).row["key"]]["reason"] == "blurred"
    merge([a, b], tmp_path / "plain", revision="none")
    assert len(Dataset(tmp_path / "plain")) == 4


def test_licences_models_and_counts_are_summed_up(tmp_path: Path) -> None:
    weights = [{"name": n, "sha256": n, "purpose": "p", "licence": "MIT", "source": "s"} for n in ("one", "two")]
    a = write(tmp_path / "a", [person(1, licence="CC0", author="Ann")], sheet=False, weights=weights[:1], plan="pa")
    b = write(tmp_path / "b", [person(2, licence="CC-BY-4.0")], sheet=False, weights=weights, plan="pb")
    model = {"name": "later", "purpose": "p", "licence": "MIT", "source": "s"}
    overlay(b, "v2", [{"key": person(2).row["key"], "blur": 1.0}], {"models": [model]})
    merge([b, a], tmp_path / "out")
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    said = [(said["name"], said["plan"], said["counts"]["kept"]) for said in run["sources"]]
    assert said == [("a", "pa", 1), ("b", "pb", 1)]
    assert run["weights"] == weights
    assert run["counts"] == {"photos": 2, "people": 2, "kept": 2, "rejected": {}}
    assert [model["name"] for model in run["card"]["models"]] == ["later", "nanodet"]
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert all(f"| {what} | 1 |" in card for what in ("CC0", "CC-BY-4.0", "Ann"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image_size": 128}, "different sizes .64 and 128."),
        ({"camera_convention": "phq-neck-window/1"}, "different conventions"),
    ],
)
def test_what_does_not_fit_together_is_refused(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    a = write(tmp_path / "a", [person(1)], sheet=False)
    b = write(tmp_path / "b", [person(2, **change)], sheet=False)
    with pytest.raises(InputError, match=words):
        merge([a, b], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_interrupted_merge_is_started_again(tmp_path: Path) -> None:
    a, b = (write(tmp_path / name, [person(n), person(n + 2)], sheet=False) for n, name in enumerate("ab"))
    redact(a, [person(0).row["key"]], day="2026-01-01")
    merge([a, b], tmp_path / "whole")
    for number in (3, 9, 15, 21):
        assert not kill_at(number, tmp_path / "out", lambda: merge([a, b], tmp_path / "out"))
        assert not (tmp_path / "out" / "manifest.parquet").exists()
    merge([a, b], tmp_path / "out")
    assert files(tmp_path / "out") == files(tmp_path / "whole")


@pytest.mark.parametrize("read", [lambda folder, out: merge([folder, folder], out), bake])
def test_a_folder_that_is_no_dataset_is_called_that(read: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a/absent is not a folder: a dataset is a folder with"):
        read(tmp_path / "a" / "absent", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty is not a dataset of phq"):
        read(tmp_path / "empty", tmp_path / "out")


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    a, b = (write(tmp_path / name, [person(n)], sheet=False) for n, name in enumerate("ab"))
    with pytest.raises(ConfigError, match="at least two"):
        merge([a], tmp_path / "out")
    with pytest.raises(OutputError, match="is inside"):
        merge([a, b], a / "out")
    with pytest.raises(OutputError, match="already holds a dataset"):
        merge([a, b], write(tmp_path / "c", [person(3)], sheet=False))
    with pytest.raises(InputError, match="none"):
        merge([a, tmp_path / "none"], tmp_path / "out")
    overlay(a, "v9", [{"key": person(0).row["key"], "blur": 0.5}])
    with pytest.raises(InputError, match=r"/b: .*no overlay 'v9'"):
        merge([a, b], tmp_path / "out", revision="v9")


def test_people_that_two_datasets_number_differently() -> None:
    def found(number: int, x: float) -> dict[str, Any]:
        box = {"box_x0": x, "box_y0": 0.0, "box_x1": x + 10, "box_y1": 20.0}
        return {"source_sha256": "1", "source_path": "p", "person_index": number, **box}

    one, two = [found(0, 50.0)], [found(0, 0.0), found(1, 50.2)]
    assert number_people([one, two]) == {id(one[0])}
    assert [row["person_index"] for row in (*one, *two)] == [1, 0, 1]
    agreed = [found(0, 0.0), found(1, 50.0)], [found(1, 50.1)], [{"source_sha256": "1", "reason": "truncated"}]
    assert number_people(agreed) == set()
    assert [row["person_index"] for rows in agreed[:2] for row in rows] == [0, 1, 1]
