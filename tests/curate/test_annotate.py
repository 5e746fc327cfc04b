"""Labels made again beside the shards, on real photographs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from bundled_photos import FOLDER
from dataset_hashes import hashes

from phq.building import unit
from phq.building.build import BuildResult
from phq.building.carrying import CarryUnits
from phq.camera.angles import wrap_deg
from phq.curate.annotate import annotating
from phq.curate.annotate.annotating import annotate
from phq.curate.annotate.groups import BY_NAME
from phq.dataset.folder import INPUTS
from phq.dataset.overlays import about_overlay, open_overlay
from phq.dataset.reader import Dataset
from phq.dataset.root import Root
from phq.errors import ConfigError, InputError, OutputError
from phq.schema import Sample

SOME = "source_path LIKE '%astronaut%' OR source_path LIKE '%cam3_f000%' OR source_path LIKE '%f130%'"
"""Four people: a front cut by the photo, a back, two sides, seen whole."""


def yaw_changes(folder: Path, name: str) -> np.ndarray:
    """Absolute change of the torso's yaw, degrees, of every sample that the overlay speaks of."""
    before, after = Dataset(folder, revision="none"), Dataset(folder, revision=name, rejects=True)
    keys = open_overlay(Root(folder), name).read()["key"].to_pylist()
    pairs = [(before[key].row["camera_yaw_deg"], after[key].row["camera_yaw_deg"]) for key in keys]
    return np.array([abs(wrap_deg(b - a)) for a, b in pairs])


@pytest.fixture
def dataset(four_people: Path, tmp_path: Path) -> Path:
    """A copy that a test may put overlays on."""
    return Path(shutil.copytree(four_people, tmp_path / "ds"))


@pytest.fixture(scope="module")
def renamed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every photograph under another's name or in another folder, and one that belongs to nobody."""
    folder = tmp_path_factory.mktemp("renamed")
    (folder / "deep").mkdir()
    photos = sorted(FOLDER.iterdir())
    for number, photo in enumerate(photos):
        name = photos[(number + 1) % len(photos)].name if number % 2 else f"deep/{number}.bin"
        shutil.copyfile(photo, folder / name)
    (folder / "other.txt").write_text("no picture")
    return folder


def test_from_the_raw_photos_the_same_labels_come_and_no_shard_is_touched(dataset: Path, renamed: Path):
    before = hashes(dataset)
    result = annotate(dataset, "again", photos=renamed, where=SOME, workers=1)
    assert hashes(dataset) == before
    assert result.kinds == {"raw": 4}
    changes = yaw_changes(dataset, "again")
    # a box is stored with six decimals, and where the last falls between two steps of OpenCV's warp, a landmark moves
    assert np.count_nonzero(changes) <= 1
    assert changes.max() < 0.01
    assert Dataset(dataset, revision="again").keys == Dataset(dataset, revision="none").keys
    assert not {"decision", "reason", "blur", "phash", "face_found"} & set(result.statement.columns)


def test_from_the_crops_the_labels_are_close_and_nobody_is_turned_round(dataset: Path):
    before, said = hashes(dataset), []
    result = annotate(dataset, "crops", workers=1, notify=said.append)
    assert hashes(dataset) == before
    assert result.kinds == {"crop": result.samples}
    assert any("keep their landmarks" in line for line in said)
    changes = yaw_changes(dataset, "crops")
    assert np.median(changes) < 6
    assert changes.max() < 45
    assert not any(result.statement.thrown_out)
    assert "keypoints_2d" not in result.statement.columns
    assert {"cam2world", "intrinsics"} <= set(result.statement.columns)


def test_a_photo_that_is_not_found_is_seen_in_its_crop_and_that_is_said(dataset: Path, tmp_path: Path):
    (source,) = FOLDER.glob("*astronaut*")
    (tmp_path / "raw").mkdir()
    shutil.copyfile(source, tmp_path / "raw" / "x.png")
    said: list[str] = []
    result = annotate(dataset, "mixed", photos=tmp_path / "raw", where=SOME, workers=1, notify=said.append)
    assert result.kinds == {"crop": 3, "raw": 1}
    assert any(line.startswith("2 photos were not found") for line in said)


def test_the_overlay_says_what_made_it(dataset: Path):
    annotate(dataset, "v2", groups=["pose"], where=SOME, workers=1, sets=["blur.min=0.2"])
    about = about_overlay(Root(dataset), "v2")
    assert about["stages"] == ["keypoints", "pose", "camera"]
    assert about["samples"] == {"crop": 4}
    assert about["config"]["thresholds"] == {"blur.min": 0.2, "consent.min": 0}
    assert {w["name"] for w in about["weights"]} == {"blazepose-heavy", "orientation"}
    assert all(len(w["sha256"]) == 64 and w["licence"] for w in about["weights"])
    assert [m["name"] for m in about["models"]][-1] == about["body"]["name"]
    assert json.loads((dataset / "run.json").read_text())["overlays"] == ["v2"]


def test_camera_and_quality_are_made_of_the_record_alone(dataset: Path, monkeypatch):
    def no_networks(*_, **__):
        raise AssertionError("a network was opened")

    monkeypatch.setattr("onnxruntime.InferenceSession", no_networks)
    result = annotate(dataset, "v2", groups=["camera"], workers=1)
    assert (result.kinds, result.statement.columns) == ({"record": result.samples}, [])
    assert annotate(dataset, "v3", groups=["camera", "quality"], workers=1).groups[-1] == "decisions"


def test_overlays_stack_and_each_starts_from_what_lies_below(dataset: Path):
    annotate(dataset, "strict", groups=["quality"], where=SOME, workers=1, sets=["luminance.min=0.9"])
    assert len(Dataset(dataset)) == len(Dataset(dataset, revision="none")) - 4
    first = {row["key"]: row["blur"] for row in Dataset(dataset, rejects=True).columns(["key", "blur"]).to_pylist()}
    result = annotate(dataset, "loose", groups=["decisions"], where=SOME)
    assert result.statement.entered == {"too_dark": 4}
    assert len(Dataset(dataset)) == len(Dataset(dataset, revision="none"))
    assert len(Dataset(dataset, revision="strict")) == len(Dataset(dataset)) - 4
    now = {row["key"]: row["blur"] for row in Dataset(dataset, rejects=True).columns(["key", "blur"]).to_pylist()}
    assert now == first


def test_the_same_bytes_with_one_worker_and_with_two(dataset: Path, tmp_path: Path):
    other = tmp_path / "other"
    shutil.copytree(dataset, other)
    for folder, workers in ((dataset, 1), (other, 2)):
        annotate(folder, "v2", groups=["pose"], where=SOME, workers=workers)
    assert (dataset / "overlays/v2.parquet").read_bytes() == (other / "overlays/v2.parquet").read_bytes()


def test_an_interrupted_annotation_continues_and_gives_the_same_bytes(
    everything: BuildResult, tmp_path: Path, monkeypatch
):
    dataset, whole = (Path(shutil.copytree(everything.out, tmp_path / name)) for name in ("cut", "whole"))
    annotate(whole, "v2", groups=["quality"], workers=1)
    real, calls = annotating.annotate_unit, []

    def dies_at_the_second(pipeline, inputs, work, number, refused, columns):
        calls.append(number)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(pipeline, inputs, work, number, refused, columns=columns)

    monkeypatch.setattr(annotating, "annotate_unit", dies_at_the_second)
    before = hashes(dataset)
    with pytest.raises(KeyboardInterrupt):
        annotate(dataset, "v2", groups=["quality"], workers=1)
    assert not (dataset / "overlays").exists()
    with pytest.raises(OutputError, match="unfinished annotation"):
        annotate(dataset, "v2", groups=["camera", "quality"], workers=1)
    annotate(dataset, "v2", groups=["quality"], workers=1)
    assert calls[:4] == [0, 1, 1, 2]  # the finished unit was not computed again
    assert (dataset / "overlays/v2.parquet").read_bytes() == (whole / "overlays/v2.parquet").read_bytes()
    assert hashes(dataset) == before
    assert [path.name for path in dataset.glob(".phq-*")] == [INPUTS]


def test_who_is_thrown_out_by_a_stage_keeps_the_labels_from_before(dataset: Path, monkeypatch):
    def no_body(fit_self, photos):
        for photo in photos:
            for person in photo.people:
                person.reject("degenerate_pose", "made up")

    monkeypatch.setattr("phq.stages.fit_body.StartBody.process", no_body)
    result = annotate(dataset, "v2", groups=["pose"], where=SOME, workers=1)
    assert result.statement.thrown_out == result.statement.left == {"degenerate_pose": 4}
    assert yaw_changes(dataset, "v2").max() == 0
    monkeypatch.undo()
    again = annotate(dataset, "v3", groups=["pose", "decisions"], where=SOME, workers=1)
    assert again.statement.entered == {"degenerate_pose": 4}


def test_the_folded_record_of_every_sample_is_complete(dataset: Path):
    annotate(dataset, "v2", where=SOME, workers=1)
    for item in Dataset(dataset):
        assert item.encoded()["jpg"] == item.read("jpg")
        assert Sample.model_validate_json(item.encoded()["json"]) == item.sample


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"groups": ["poses"]}, ConfigError, "did you mean pose"),
        ({"groups": ["mask"]}, ConfigError, "stored in the shards"),
        ({"groups": []}, ConfigError, "there are: keypoints"),
        ({"groups": ["keypoints"]}, ConfigError, "--photos"),
        ({"where": "yaw > 3"}, InputError, "yaw"),
        ({"where": "blur > 1e9"}, InputError, "no stored sample"),
        ({"photos": "nowhere"}, InputError, "no such file"),
        ({"sets": ["blurr.min=1"]}, ConfigError, "did you mean blur"),
        ({"name": "none"}, InputError, "cannot be called"),
        ({"name": "../x"}, InputError, "cannot be called"),
        ({"workers": 0}, ConfigError, "at least one"),
    ],
)
def test_a_wrong_option_is_said_before_anything_is_written(four_people: Path, options, error, text):
    before = sorted(four_people.rglob("*"))
    with pytest.raises(error, match=text):
        annotate(four_people, **{"name": "v2", "workers": 1} | options)
    assert sorted(four_people.rglob("*")) == before


def test_a_folder_with_other_photos_is_an_error(four_people: Path, tmp_path: Path):
    (tmp_path / "a.jpg").write_bytes(b"something else")
    with pytest.raises(InputError, match="none of its 1 files"):
        annotate(four_people, "v2", photos=tmp_path)


def test_a_name_that_is_taken_is_refused(dataset: Path):
    annotate(dataset, "v2", groups=["decisions"])
    before = (dataset / "overlays/v2.parquet").read_bytes()
    left = dataset / ".phq-work-annotate-v2/.phq-work"  # by a kill after the overlay was written
    left.mkdir(parents=True)
    with pytest.raises(InputError, match="already has an overlay v2"):
        annotate(dataset, "v2", groups=["decisions"], sets=["blur.min=0.9"])
    assert (dataset / "overlays/v2.parquet").read_bytes() == before
    assert not left.parent.exists()


def test_an_overlay_that_appeared_meanwhile_is_not_buried(dataset: Path, monkeypatch):
    real = annotating.run_plan

    def and_another(*arguments, **options):
        annotate(dataset, "quick", groups=["decisions"])
        return real(*arguments, **options)

    monkeypatch.setattr(annotating, "run_plan", and_another)
    with pytest.raises(OutputError, match="meanwhile"):
        annotate(dataset, "v2", groups=["camera"], workers=1)
    assert json.loads((dataset / "run.json").read_text())["overlays"] == ["quick"]
    monkeypatch.undo()
    annotate(dataset, "v2", groups=["camera"], workers=1)  # as the message says: no work of the old state is in the way
    assert json.loads((dataset / "run.json").read_text())["overlays"] == ["quick", "v2"]


def test_the_same_annotation_twice_at_once_is_refused_and_harms_nothing(dataset: Path, monkeypatch):
    real = annotating.run_plan

    def and_the_same_again(*arguments, **options):
        with pytest.raises(OutputError, match="another phq process"):
            annotate(dataset, "v2", groups=["camera"], workers=1)
        return real(*arguments, **options)

    monkeypatch.setattr(annotating, "run_plan", and_the_same_again)
    annotate(dataset, "v2", groups=["camera"], workers=1)
    assert Dataset(dataset).overlays == ["v2"]
    assert [path.name for path in dataset.glob(".phq*")] == [INPUTS]


def test_a_shard_that_is_gone_stops_the_annotation_with_its_name(dataset: Path):
    gone = sorted((dataset / "train").glob("*.tar"))[0]
    gone.unlink()
    with pytest.raises(InputError, match=gone.name):
        annotate(dataset, "v2", groups=["quality"], workers=1)


def test_a_build_still_runs_its_own_units():
    assert CarryUnits.carry is unit.run_unit
    assert BY_NAME["decisions"].stages == ()
