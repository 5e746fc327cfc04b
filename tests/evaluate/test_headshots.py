"""Headshots with truth: whose box is the subject's, which truth is refused, and the errors and doubt reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from curated_datasets import person, write
from typer.testing import CliRunner

from phq.cli import app
from phq.dataset.derived import is_drawn
from phq.errors import InputError, OutputError
from phq.evaluate.headshots import Headshot, photos_of, read_headshots, subject
from phq.evaluate.reliability import flip_reliability, sigma_reliability
from phq.evaluate.yaw import groups, summary, yaw_errors

RECORD: dict[str, Any] = {
    "set": "desk", "file": "desk/photos/0000.jpg", "person": "A", "group": None, "torso_yaw_deg": 170.0,
    "head_yaw_deg": -175, "torso_tol_deg": 10, "head_tol_deg": 5, "camera_elevation_deg": 20.0, "note": "",
    "size": [100, 100],
}  # fmt: skip
SIGMA = 8.0


def box(x0: float, y0: float, x1: float, y1: float, **more: Any) -> dict[str, Any]:
    """A candidate in a picture of 100 × 200 pixels; edges are shares of it."""
    edges = {"box_x0": 100 * x0, "box_y0": 200 * y0, "box_x1": 100 * x1, "box_y1": 200 * y1}
    return {"image_width": 100, "image_height": 200, **edges, **more}


def label(torso: float, head: float, p_flip: float = 0.01, sigma: float | None = SIGMA) -> dict[str, Any]:
    return {"camera_yaw_deg": torso, "head_yaw_deg": head, "p_flip": p_flip, "yaw_sigma_deg": sigma}


def kept(torso: float, head: float, p_flip: float = 0.01) -> dict[str, Any]:
    return {**label(torso, head, p_flip), "decision": "kept", "reason": ""}


def headshot(**changes: Any) -> Headshot:
    return Headshot.model_validate({**RECORD, **changes})


def truth_file(folder: Path, *records: Any) -> Path:
    path = folder / "truth.json"
    path.write_text(json.dumps({"convention": "…", "records": list(records)}))
    return path


def test_the_subject_is_the_central_person_and_not_a_larger_one_beside() -> None:
    central, beside = box(0.25, 0.2, 0.75, 1), box(0.5, 0, 1, 1)
    assert subject([beside, central]) is central


def test_a_body_without_its_head_is_still_the_subject() -> None:
    assert subject([box(0.15, 0.48, 1, 1)]) is not None


@pytest.mark.parametrize(
    "other",
    [
        pytest.param((0.33, 0, 0.89, 0.55), id="somebody standing behind, over the head"),
        pytest.param((0, 0.59, 0.24, 1), id="somebody cut by the edge"),
        pytest.param((0.3, 0.5, 0.6, 0.95), id="something small in the middle"),
    ],
)
def test_another_box_is_not_the_subject(other: tuple[float, float, float, float]) -> None:
    assert subject([box(*other)]) is None


def test_nobody_is_no_subject() -> None:
    nobody = dict.fromkeys(box(0, 0, 1, 1))
    assert subject([nobody]) is None
    assert subject([]) is None


def test_photos_are_found_by_the_end_of_their_path() -> None:
    shots = [headshot(file="a/1.jpg"), headshot(file="b/1.jpg"), headshot(file="root/c/2.jpg")]
    assert photos_of(shots, ["real/a/1.jpg", "b/1.jpg", "c/2.jpg"]) == ["real/a/1.jpg", "b/1.jpg", "c/2.jpg"]


@pytest.mark.parametrize(
    ("files", "photos", "message"),
    [
        (["a/1.jpg"], ["a/11.jpg", "xa/1.jpg"], "record a/1.jpg: the dataset has no such photo"),
        (["1.jpg"], ["a/1.jpg", "b/1.jpg"], "record 1.jpg: the dataset has several photos: a/1.jpg, b/1.jpg"),
        (["a/1.jpg", "b/1.jpg"], ["1.jpg"], "a/1.jpg and b/1.jpg are both of the photo 1.jpg"),
    ],
)
def test_a_headshot_that_is_not_one_photo_is_refused(files: list[str], photos: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        photos_of([headshot(file=file) for file in files], photos)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"torso_yaw_deg": float("nan")}, "torso_yaw_deg: Input should be a finite number"),
        ({"head_yaw_deg": "left"}, "head_yaw_deg: Input should be a valid number"),
        ({"torso_tol_deg": -1}, "torso_tol_deg: Input should be greater"),
        ({"camera_elevation_deg": 100}, "camera_elevation_deg: Input should be less"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_record(tmp_path: Path, change: Any, message: str) -> None:
    path = truth_file(tmp_path, RECORD, {**RECORD, "file": "desk/photos/0001.jpg", **change})
    with pytest.raises(InputError, match=f"record 1 .desk/photos/0001.jpg.: {message}"):
        read_headshots(path)


@pytest.mark.parametrize("key", ["set", "file", "torso_yaw_deg", "head_tol_deg", "camera_elevation_deg"])
def test_a_record_without_a_key_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(InputError, match=f"record 0 .*{key}: Field required"):
        read_headshots(truth_file(tmp_path, {name: value for name, value in RECORD.items() if name != key}))


@pytest.mark.parametrize("text", ["", "[]", '{"people": []}', '{"records": []}', '{"records": {"file": 1}}'])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "truth.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"truth\.json"):
        read_headshots(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_headshots(tmp_path / "none.json")


def test_errors_go_the_short_way_round_and_unknown_truth_has_none() -> None:
    errors = yaw_errors(headshot(head_yaw_deg=None, head_tol_deg=None), kept(-170, 0))
    assert errors["torso_yaw"] == pytest.approx(20)
    assert errors["head_yaw"] is None
    result = summary([errors])
    assert result["head"] is None
    assert result["torso"]["beyond_p90"] == pytest.approx(10)


def test_groups_are_by_true_torso_yaw_set_elevation_doubt_and_decision() -> None:
    people = [
        yaw_errors(headshot(torso_yaw_deg=45, camera_elevation_deg=35), kept(50, 0)),
        yaw_errors(headshot(torso_yaw_deg=-135, camera_elevation_deg=-36, set="hall"), kept(-130, 0, 0.031)),
        yaw_errors(headshot(torso_yaw_deg=190, camera_elevation_deg=None), kept(10, 0) | {"decision": "rejected"}),
    ]
    sizes = {name: len(members) for name, members in groups(people)}
    assert sizes == {
        "all": 3, "front, ≤ 45°": 1, "side": 1, "back, > 135°": 1, "desk": 2, "hall": 1, "elevation ≤ 35°": 1,
        "elevation > 35°": 1, "elevation unknown": 1, "`p_flip` ≤ 0.03": 2, "kept": 2,
    }  # fmt: skip
    assert summary(people)["torso"]["flips"] == pytest.approx(1 / 3)
    assert summary(people)["kept"] == 2


def people_of(errors: list[float], p_flip: float = 0.01, sigma: float | None = SIGMA) -> list[dict[str, Any]]:
    return [{"torso_yaw": error, "head_yaw": None, "p_flip": p_flip, "yaw_sigma": sigma} for error in errors]


def test_a_flip_of_head_or_torso_counts_in_the_bin_of_its_doubt() -> None:
    people = [*people_of([0, 91], 0.03), *people_of([5, 5], 0.5), *people_of([0], 0.0)]
    people[2]["head_yaw"] = -120.0
    rows = flip_reliability(people)
    assert [(row["to"], row["n"], row["stated"], row["found"]) for row in rows] == [
        (0.01, 1, 0.0, 0.0), (0.03, 2, 0.03, 0.5), (0.6, 2, 0.5, 0.5),
    ]  # fmt: skip
    assert rows[1]["low"] == pytest.approx(0.0945, abs=1e-3)  # Wilson's interval of 1 in 2
    assert rows[1]["high"] == pytest.approx(0.9055, abs=1e-3)


def test_exact_doubt_is_found_to_be_exact() -> None:
    random = np.random.default_rng(0)
    (_, total) = sigma_reliability(people_of(list(random.normal(0, SIGMA, 4000))))
    assert total["within_1"] == pytest.approx(0.683, abs=0.02)
    assert total["within_2"] == pytest.approx(0.954, abs=0.02)


def test_coverage_leaves_out_flips_and_counts_beyond_tolerance_too() -> None:
    people = [{**person, "torso_tol": 6.0} for person in people_of([4, -12, 20, 170])]
    (row, total) = sigma_reliability(people)
    assert (row["from"], row["to"], row["n"], total["n"]) == (0, 10, 3, 3)
    assert row["within_1"] == pytest.approx(1 / 3)
    assert row["within_2"] == pytest.approx(2 / 3)
    assert row["beyond_within_1"] == pytest.approx(2 / 3)
    assert row["beyond_within_2"] == 1
    assert sigma_reliability(people_of([4], sigma=None)) == []


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """One subject 10° and 5° off, one turned round, one missed where another stands."""
    edges = dict(zip(("box_x0", "box_y0", "box_x1", "box_y1"), (20.0, 10.0, 80.0, 100.0), strict=True))
    size = {"image_width": 100, "image_height": 100}
    corner = {**edges, "box_x1": 30.0, "box_y1": 30.0}
    samples = [
        person(0, **size, **edges, **label(160.0, -170.0)),
        person(1, **size, **edges, **label(0.0, 10.0, 0.4)),
        person(2, **size, **corner, **label(0.0, 0.0)),
    ]
    return write(tmp_path / "dataset", samples, sheet=False)


def records(**changes: Any) -> list[dict[str, Any]]:
    return [{**RECORD, "file": f"desk/photos/{number:04d}.jpg", **changes} for number in range(3)]


def call(*words: object) -> Any:
    done = CliRunner().invoke(app, ["evaluate", "pose", *map(str, words)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_the_command_reports_people_found_errors_and_doubt(dataset: Path, tmp_path: Path) -> None:
    truth, result = truth_file(tmp_path, *records()), tmp_path / "result.json"
    text = call(dataset, "--truth", truth, "--json", result).stdout
    assert "found 2 of 3" in text
    assert "not found: desk/photos/0002.jpg (other boxes: 1)" in text
    assert "| all | 2 | 90.0 / 154 / 50.0% | 90.0 / 158 / 50.0% | 144, 153 | 2 |" in text
    assert "| 0.3 to 0.6 | 1 | 40.0% | 100.0% (21% to 100%) |" in text
    assert "| 0 to 10 | 1 | 8.0 | 0%, 100% | 100%, 100% |" in text
    report = json.loads(result.read_text())
    assert [round(each["head_yaw"]) for each in report["people"]] == [5, -175]
    assert report["missed"] == [{"set": "desk", "file": "desk/photos/0002.jpg", "others": 1}]


def test_the_command_draws_a_picture_and_replaces_no_other(dataset: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    truth, picture, mine = truth_file(tmp_path, *records()), tmp_path / "doubt.png", tmp_path / "mine.png"
    for _ in range(2):
        assert f"picture   {picture}" in call(dataset, "--truth", truth, "--out", picture).stdout
    assert is_drawn(picture)
    mine.write_bytes(b"mine")
    for path in (mine, tmp_path / "doubt.jpg"):
        with pytest.raises(OutputError):
            call(dataset, "--truth", truth, "--out", path)
    assert mine.read_bytes() == b"mine"


def test_truth_of_other_photos_is_refused(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"record desk/other\.jpg: the dataset has no such photo"):
        call(dataset, "--truth", truth_file(tmp_path, {**RECORD, "file": "desk/other.jpg"}))
