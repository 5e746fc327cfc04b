"""The main job, end to end, on real photographs."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from bundled_photos import BACK, FOLDER, PEOPLE, copied
from PIL import Image
from unusable_photos import make_bad_files, make_odd_but_good_files

from phq.building.build import BuildResult, build
from phq.building.carrying import CarryUnits
from phq.building.contact_sheet import directions
from phq.camera.angles import camera_angles, wrap_deg
from phq.camera.convention import mirror_camera
from phq.dataset.folder import WORK
from phq.dataset.tar import read_member
from phq.errors import ConfigError, InputError, OutputError
from phq.pose.body import load_body
from phq.schema import Sample

QUICK = {"preset": "everything", "size": 128, "fast": True, "workers": 1}
"""A build for tests that do not look at labels."""


def manifest(out: Path) -> list[dict]:
    return pq.read_table(out / "manifest.parquet").to_pylist()


def rejects(out: Path) -> list[dict]:
    return pq.read_table(out / "rejects.parquet").to_pylist()


def digests(out: Path) -> dict[str, str]:
    """sha256 of every file but the record of the run, which has times in it."""
    files = (p for p in sorted(out.rglob("*")) if p.is_file() and p.name != "run.json")
    return {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def built(few: Path, tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """`few`, by one worker."""
    return build(few, tmp_path_factory.mktemp("built") / "out", **QUICK)


@pytest.mark.parametrize(("name", "side"), PEOPLE.items())
def test_yaw_has_the_right_side(everything: BuildResult, name: str, side: float):
    yaws = [row["camera_yaw_deg"] for row in everything.kept if row["source_path"] == name]
    assert any(abs(wrap_deg(yaw - side)) < 62 for yaw in yaws), yaws


def test_back_views_are_kept_without_a_face(everything: BuildResult):
    backs = [r for r in everything.kept if PEOPLE.get(r["source_path"]) == BACK and abs(r["camera_yaw_deg"]) > 120]
    assert len(backs) >= 4
    assert not any(r["face_found"] for r in backs)


def test_every_member_is_where_the_manifest_says(everything: BuildResult):
    for row in manifest(everything.out):
        shard = everything.out / row["shard"]
        jpg = read_member(shard, row["jpg_offset"], row["jpg_size"])
        assert hashlib.sha256(jpg).hexdigest()[:16] == row["key"]
        assert Image.open(io.BytesIO(jpg)).size == (256, 256)
        mask = np.asarray(Image.open(io.BytesIO(read_member(shard, row["mask_offset"], row["mask_size"]))))
        assert mask.shape == (256, 256)
        assert set(np.unique(mask)) <= {0, 255}
        sample = Sample.model_validate_json(read_member(shard, row["json_offset"], row["json_size"]))
        assert {name: row[name] for name in Sample.model_fields} == sample.model_dump()


def test_the_crop_is_the_photo_at_the_place_that_the_affine_says(everything: BuildResult):
    (row,) = [r for r in manifest(everything.out) if r["source_path"].endswith("astronaut.png")]
    jpg = read_member(everything.out / row["shard"], row["jpg_offset"], row["jpg_size"])
    crop = np.asarray(Image.open(io.BytesIO(jpg))).astype(float)
    photo = np.asarray(Image.open(FOLDER / row["source_path"]).convert("RGB")).astype(float)
    affine = np.array(row["crop_to_source"]).reshape(2, 3)
    centres = np.stack(np.meshgrid(np.arange(256) + 0.5, np.arange(256) + 0.5), -1)
    at = np.floor(centres @ affine[:, :2].T + affine[:, 2]).astype(int)
    inside = ((at >= 0) & (at < 512)).all(-1)
    assert np.abs(crop[inside] - photo[at[inside][:, 1], at[inside][:, 0]]).mean() < 6


def test_labels_of_a_row_agree_with_each_other(everything: BuildResult):
    for row in manifest(everything.out):
        camera = np.array(row["cam2world"]).reshape(4, 4)
        np.testing.assert_allclose(np.linalg.norm(camera[:3, 3]), 2.7, atol=1e-6)
        angles = [row[f"camera_{a}_deg"] for a in ("yaw", "pitch", "roll")]
        np.testing.assert_allclose(camera_angles(camera), angles, atol=1e-4)
        np.testing.assert_allclose(camera_angles(mirror_camera(camera))[0], wrap_deg(-angles[0]), atol=1e-4)
        pose = np.array(row["smpl_pose"])
        np.testing.assert_allclose(row["neck_head_pose"], [*pose[36:39], *pose[45:48]])
        assert 0 <= row["p_flip"] <= 1


def test_people_of_one_photo_are_on_one_side_of_the_split(everything: BuildResult):
    splits: dict[str, set[str]] = {}
    for row in everything.kept:
        splits.setdefault(row["source_sha256"], set()).add(row["split"])
    assert all(len(found) == 1 for found in splits.values())


def test_the_record_of_the_run_names_weights_and_licences(everything: BuildResult):
    run = json.loads((everything.out / "run.json").read_text())
    names = {"nanodet", "movenet", "blazepose-heavy", "orientation", "centerface", load_body().name}
    assert {w["name"] for w in run["weights"]} == names
    assert all(len(w["sha256"]) == 64 and w["licence"] for w in run["weights"])
    assert run["counts"]["photos"] == len(list(FOLDER.iterdir()))
    assert run["config"]["size"] == 256


def test_a_direction_on_the_contact_sheet_is_never_minus_zero():
    assert directions({"camera_yaw_deg": -0.3, "head_yaw_deg": -1.6}) == "torso 0  head -2"


def test_the_contact_sheet_is_a_picture(everything: BuildResult):
    with Image.open(everything.out / "contact-sheet.png") as sheet:
        assert sheet.size[0] == 4 * 512


def test_nothing_is_left_of_the_work_folder(everything: BuildResult):
    assert not any(row["shard"] or "jpg_offset" in row for row in everything.kept)
    assert not (everything.out / WORK).exists()
    assert not list(everything.out.rglob("*.tmp"))


def test_photos_that_are_there_twice_give_one_sample(built: BuildResult):
    (double,) = [r for r in built.rejects if r["reason"] == "exact_duplicate"]
    astronauts = [r for r in built.kept if "astronaut" in r["source_path"] or "copy" in r["source_path"]]
    assert len(astronauts) == 1
    assert double["duplicate_of"] == astronauts[0]["key"]
    assert double["cam2world"]


def test_same_bytes_with_one_worker_and_with_two(built: BuildResult, few: Path, tmp_path: Path):
    build(few, tmp_path / "2", **{**QUICK, "workers": 2})
    first = digests(built.out)
    assert first == digests(tmp_path / "2")
    assert sum(name.endswith(".tar") for name in first) >= 4


def test_an_interrupted_build_continues_and_gives_the_same_bytes(
    built: BuildResult, few: Path, tmp_path: Path, monkeypatch
):
    real = CarryUnits.run
    calls: list[int] = []

    def dies_at_the_second(carry, pipeline, task, tell):
        calls.append(task.number)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(carry, pipeline, task, tell)

    monkeypatch.setattr(CarryUnits, "run", dies_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        build(few, tmp_path / "cut", **QUICK)
    assert not (tmp_path / "cut" / "manifest.parquet").exists()
    build(few, tmp_path / "cut", **QUICK)
    assert calls == [0, 1, 1]  # the finished unit was not computed again
    assert digests(built.out) == digests(tmp_path / "cut")


def test_a_full_disk_is_an_error_that_loses_nothing_finished(tmp_path: Path, monkeypatch):
    photos = copied(["astronaut"], tmp_path / "photos")

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OutputError, match=r"(?i)space|full"):
            build(photos, tmp_path / "out", **QUICK)
    assert build(photos, tmp_path / "out", **QUICK).kept


def test_a_folder_with_another_unfinished_build_is_refused(few: Path, tmp_path: Path, monkeypatch):
    def dies(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(CarryUnits, "run", dies)
        with pytest.raises(KeyboardInterrupt):
            build(few, tmp_path / "out", **QUICK)
    with pytest.raises(OutputError, match="another configuration"):
        build(few, tmp_path / "out", **{**QUICK, "size": 64})


def test_an_unfinished_build_does_not_continue_with_other_photos_of_the_same_names(
    few: Path, tmp_path: Path, monkeypatch
):
    def dies(*_):
        raise KeyboardInterrupt

    source, other = sorted(few.glob("*.jpg"))[:2]
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(source.read_bytes())
    with monkeypatch.context() as patch:
        patch.setattr(CarryUnits, "run", dies)
        with pytest.raises(KeyboardInterrupt):
            build(photos, tmp_path / "out", preset="everything", size=64, workers=1)
    (photos / "a.jpg").write_bytes(other.read_bytes())
    with pytest.raises(OutputError, match="other photos"):
        build(photos, tmp_path / "out", preset="everything", size=64, workers=1)


def test_a_finished_dataset_is_never_overwritten(everything: BuildResult):
    before = digests(everything.out)
    with pytest.raises(OutputError, match="already holds a dataset"):
        build(FOLDER, everything.out, preset="everything", size=128)
    assert digests(everything.out) == before


def test_the_output_may_lie_among_the_photos(tmp_path: Path):
    result = build(copied(["astronaut"], tmp_path), tmp_path / "out", **QUICK)
    assert (result.photos, len(result.kept)) == (1, 1)


@pytest.mark.parametrize("out", ["photos", "."])
def test_photos_inside_the_output_folder_are_an_error_and_nothing_is_written(tmp_path: Path, out: str):
    photos = tmp_path / "photos"
    photos.mkdir()
    (source,) = FOLDER.glob("*astronaut*")
    (photos / "a.png").write_bytes(source.read_bytes())
    with pytest.raises(InputError, match="output folder"):
        build(photos, tmp_path / out, preset="everything", size=64, workers=1)
    assert [p.name for p in tmp_path.rglob("*")] == ["photos", "a.png"]


def test_what_a_threshold_rejects_early_has_the_threshold_and_the_margin(few: Path, tmp_path: Path):
    result = build(few, tmp_path / "out", workers=1, size=64, preset="everything", sets=["box.min=100000"])
    assert result.kept == []
    for row in rejects(result.out):
        assert (row["reason"], row["score_name"], row["threshold"]) == ("box_too_small", "box_px", 100000)
        assert -1 < row["margin"] < 0
        assert row["box_x1"] > row["box_x0"]


def test_bad_files_are_named_and_the_good_among_them_kept(tmp_path: Path):
    photos = tmp_path / "photos"
    photos.mkdir()
    looked_into = dict.fromkeys(("archive.zip", "clip.avi", "clip.mp4", "clip.webm"), "corrupt")
    reasons = make_bad_files(photos) | looked_into  # files of many photos, by their first bytes
    assert len(reasons) >= 100
    (source,) = FOLDER.glob("*astronaut*")
    (photos / "good.png").write_bytes(source.read_bytes())
    Image.new("RGB", (300, 200), (90, 120, 60)).save(photos / "nobody.png")
    before = {p.name: p.lstat().st_size for p in photos.iterdir()}
    result = build(photos, tmp_path / "out", workers=1, size=128, sets=["head.min=off"])
    assert [row["source_path"] for row in result.kept] == ["good.png"]
    found = {row["source_path"]: row["reason"] for row in rejects(result.out)}
    assert {name: found.get(name) for name in reasons} == reasons
    assert found["nobody.png"] == "no_person"
    assert {p.name: p.lstat().st_size for p in photos.iterdir()} == before


def test_in_odd_but_good_files_the_same_person_is_detected(tmp_path: Path):
    photos = tmp_path / "photos"
    (source,) = FOLDER.glob("*astronaut*")
    names = make_odd_but_good_files(photos, source)
    result = build(photos, tmp_path / "out", **{**QUICK, "workers": 2}, sets=["box.min=100000"])  # no labels
    rows = {row["source_path"]: row for row in rejects(result.out) if row["reason"] == "box_too_small"}
    assert rows.keys() == set(names)
    boxes = np.array([[row[f"box_{edge}"] for edge in ("x0", "y0", "x1", "y1")] for row in rows.values()])
    assert np.abs(boxes - np.median(boxes, axis=0)).max() < 0.06 * 512


def test_rejected_people_keep_scores_and_labels(tmp_path: Path):
    photos = copied(["astronaut", "cam3_f000"], tmp_path / "photos")
    result = build(photos, tmp_path / "out", **QUICK, sets=["luminance.max=0.01"])
    assert result.kept == []
    rows = [r for r in rejects(result.out) if r["reason"] == "too_bright"]
    assert len(rows) >= 2
    for row in rows:
        assert len(row["cam2world"]) == 16
        assert row["blur"] is not None
        assert row["margin"] < 0
        assert (row["score_name"], row["threshold"]) == ("luminance", 0.01)
        assert "0.01" in row["detail"]


def test_twenty_people_give_twenty_samples(tmp_path: Path):
    (source,) = FOLDER.glob("*astronaut*")
    one = Image.open(source).convert("RGB").crop((0, 0, 400, 512)).resize((200, 256))
    group = Image.new("RGB", (2000, 512), (120, 120, 120))
    for i in range(20):
        group.paste(one, (i % 10 * 200, i // 10 * 256))
    group.save(tmp_path / "group.png")
    result = build(tmp_path, tmp_path / "out", **{**QUICK, "size": 64})
    assert len([r for r in result.kept + result.rejects if r.get("person_index") is not None]) >= 18


@pytest.mark.parametrize(
    ("options", "error"),
    [({"preset": "strictest"}, ConfigError), ({"sets": ["blurr.min=3"]}, ConfigError), ({"size": 3}, ConfigError)],
)
def test_a_wrong_option_is_said_before_anything_is_written(few: Path, tmp_path: Path, options, error):
    with pytest.raises(error):
        build(few, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_no_photos_is_an_error(tmp_path: Path):
    with pytest.raises(InputError):
        build(tmp_path / "nowhere", tmp_path / "out")
