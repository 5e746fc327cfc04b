"""What belongs to which stage, deciding again, and finding photos again: no network runs here."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from labelled_samples import labelled_sample
from tiny_datasets import write_tiny
from typer.testing import CliRunner

from phq.cli import app
from phq.config.build import load_config
from phq.curate.annotate.annotating import annotate
from phq.curate.annotate.groups import FIXED, GROUPS, select
from phq.curate.annotate.raw_photos import find_photos
from phq.curate.annotate.units import beyond_rounding
from phq.dataset.overlays import STORAGE, open_overlay, write_overlay
from phq.dataset.reader import Dataset
from phq.dataset.root import Root
from phq.decisions.settings import settings_for
from phq.errors import ConfigError, InputError
from phq.schema import PROVENANCE, Row
from phq.stages.pipeline import stages

FIXED_COLUMNS = {
    "schema_version", "key", "source_path", "source_sha256", "person_index", "image_width", "image_height",
    "photo_turn_deg", "photo_turn_score", "photo_phash",
    "has_focal", "focal_px", *PROVENANCE, "box_x0", "box_y0", "box_x1", "box_y1", "detectors", "detection_score",
    "detector_score", "skeleton_score", "has_coco_keypoints", "coco_keypoints", "head_direction",
    "head_direction_score", "image_size", "crop_to_source",
    "crop_side_px", "photo_in_crop", "source_px_per_px", "padding_fraction", "mask_fraction", "mask_confidence",
    "others_in_crop", "occluded_fraction", "second_face", "split", *STORAGE,
}  # fmt: skip
"""What the shards, the photo and the boxes fix."""


@pytest.fixture
def ten(tmp_path: Path) -> Path:
    """Ten samples with sharpness 0.0, 0.1 … 0.9, all kept, built without thresholds."""
    samples = [labelled_sample(n, blur=n / 10, phash=f"{n * 0x1111111111:016x}") for n in range(10)]
    write_tiny(tmp_path / "ds", samples, [{"reason": "no_person", "decision": "rejected", "source_path": "x.jpg"}])
    return tmp_path / "ds"


def kept(folder: Path, overlay: str) -> list[float]:
    """Sharpness of the samples that are kept."""
    return sorted(Dataset(folder, revision=overlay).columns(["blur"])["blur"].to_pylist())


SLOTS_FILLED = ["models.identity=faceres", "models.headpose=whenet"]
"""With these every stage is in the pipeline."""


def test_every_stage_and_every_column_belongs_to_one_group_or_is_fixed():
    names = [stage.name for stage in stages(load_config(sets=SLOTS_FILLED))]
    grouped = [name for group in GROUPS for name in group.stages]
    assert sorted([*grouped, *FIXED]) == sorted(names)
    columns = {name for group in GROUPS for name in group.columns}
    assert columns | FIXED_COLUMNS == set(Row.model_fields)
    assert not columns & FIXED_COLUMNS


def test_what_a_stage_needs_comes_along_and_is_said():
    assert select(["pose"]).names == ["keypoints", "pose", "camera"]
    assert len(select(["pose"]).lines) == 2
    assert select(["camera", "quality", "decisions"]).lines == ()
    assert select(None).names == [group.name for group in GROUPS]


def test_thresholds_are_applied_again_to_the_stored_scores(ten: Path):
    result = annotate(ten, "strict", groups=["decisions"], preset="everything", sets=["blur.min=0.45"])
    assert kept(ten, "strict") == [0.5, 0.6, 0.7, 0.8, 0.9]
    assert kept(ten, "none") == [n / 10 for n in range(10)]
    assert result.statement.left == {"blurred": 5}
    row = Dataset(ten, rejects=True, where="blur = 0.4")[0].row
    assert (row["reason"], row["score_name"], row["threshold"]) == ("blurred", "blur", 0.45)
    assert row["margin"] == pytest.approx(0.4 / 0.45 - 1, abs=1e-6)
    assert "split" not in result.statement.columns


def test_loosened_thresholds_bring_samples_back_but_not_against_a_reviewer(ten: Path):
    bad = Dataset(ten, where="blur = 0.9").keys[0]
    said = {"key": bad, "decision": "rejected", "reason": "reviewer_says_no", "detail": "hands"}
    write_overlay(ten, "reviewed", [said], ["decision", "reason", "detail"], {})
    annotate(ten, "strict", groups=["decisions"], preset="everything", sets=["blur.min=0.45"])
    result = annotate(ten, "loose", groups=["decisions"], preset="everything", sets=["blur.min=0.15"])
    assert kept(ten, "loose") == [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    assert result.statement.entered == {"blurred": 3}


def test_where_limits_what_is_decided_again(ten: Path):
    annotate(ten, "some", groups=["decisions"], where="blur < 0.35", preset="everything", sets=["blur.min=0.8"])
    assert kept(ten, "some") == [n / 10 for n in range(4, 10)]
    assert len(open_overlay(Root(ten), "some").read()) == 4


def test_nothing_changed_is_an_overlay_that_says_so(ten: Path):
    annotate(ten, "first", groups=["decisions"], preset="everything")
    result = annotate(ten, "second", groups=["decisions"], preset="everything")
    assert result.statement.columns == []
    assert set(open_overlay(Root(ten), "second").read().column_names) == {"key", "decision"}


COLOURS = [50.0, 20.0, 10.0, 12.0, 8.0, 6.0] * 4
"""Of head, clothes and both backgrounds: two pictures without colours are not taken for one."""


def test_look_alikes_are_judged_among_all_samples(tmp_path: Path):
    same = {"phash": "00ff" * 4, "phash_mirror": "ff00" * 4, "source_px_per_px": 2.0, "appearance": COLOURS}
    samples = [labelled_sample(n, **same, blur=0.3 + n / 10) for n in (1, 2)]
    write_tiny(tmp_path / "ds", samples)
    worse, better = (sample.row["key"] for sample in samples)
    reject = ["duplicates.reject=true"]
    annotate(tmp_path / "ds", "v2", groups=["decisions"], where="blur < 0.45", preset="everything", sets=reject)
    assert Dataset(tmp_path / "ds", rejects=True)[worse].row["duplicate_of"] == better
    assert Dataset(tmp_path / "ds").keys == [better]


def test_what_was_thrown_out_and_is_not_decided_again_repeats_nothing(tmp_path: Path):
    same = {"phash": "00ff" * 4, "phash_mirror": "ff00" * 4, "source_px_per_px": 2.0, "appearance": COLOURS}
    samples = [labelled_sample(n, **same, blur=0.3 + n / 10) for n in (1, 2)]
    write_tiny(tmp_path / "ds", samples)
    worse, better = (sample.row["key"] for sample in samples)
    dark = [{"key": better, "decision": "rejected", "reason": "underexposed"}]
    write_overlay(tmp_path / "ds", "dark", dark, ["decision", "reason"], {})
    options = {"groups": ["decisions"], "preset": "everything", "sets": ["duplicates.reject=true"]}
    annotate(tmp_path / "ds", "worse", where="blur < 0.45", **options)
    assert Dataset(tmp_path / "ds").keys == [worse]
    annotate(tmp_path / "ds", "both", **options)
    assert Dataset(tmp_path / "ds").keys == [better]


def test_the_configuration_is_the_datasets_own_unless_one_is_named():
    built = load_config("default", sets=["blur.min=0.7", "detect.tiles=false"], fast=True)
    run = {"config": built.model_dump(mode="json")}
    assert settings_for(run, None, None, []) == built
    assert settings_for(run, None, None, ["noise.max=off"]).thresholds.keys() == built.thresholds.keys() - {"noise.max"}
    assert settings_for(run, "everything", None, []) == load_config("everything")
    assert settings_for({}, None, None, ["blur.min=0.1"]) == load_config(sets=["blur.min=0.1"])
    with pytest.raises(ConfigError, match="give --preset"):
        settings_for({"config": {"threshold_of_tomorrow": 3}}, None, None, [])
    with pytest.raises(ConfigError, match="did you mean"):
        settings_for(run, None, None, ["blurr.min=3"])


def test_photos_are_found_by_content_and_no_more_files_are_read_than_it_takes(tmp_path: Path, monkeypatch):
    contents = {"a.jpg": b"A", "b.jpg": b"B", "c/unknown.bin": b"C", "z.jpg": b"Z"}
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    sha = {content: hashlib.sha256(content).hexdigest() for content in contents.values()}
    found = find_photos(tmp_path, {sha[b"A"]: "b.jpg", sha[b"B"]: "a.jpg", sha[b"C"]: "gone.jpg", "0" * 64: "x.jpg"})
    assert {photo.path.read_bytes() for photo in found.values()} == {b"A", b"B", b"C"}
    assert all(sha[photo.path.read_bytes()] == key for key, photo in found.items())
    read: list[str] = []
    monkeypatch.setattr("phq.photos.discover.read_file", lambda path: read.append(path.name) or path.read_bytes())
    find_photos(tmp_path, {sha[b"Z"]: "z.jpg"})
    assert read == ["z.jpg"]
    with pytest.raises(InputError, match="none of its 4 files"):
        find_photos(tmp_path, {"0" * 64: "x.jpg"})


def test_rounding_is_no_change_and_anything_more_is_one():
    assert beyond_rounding("camera_yaw_deg", 10.00005, 10.0) == 10.0
    assert beyond_rounding("camera_yaw_deg", 10.01, 10.0) == 10.01
    assert beyond_rounding("face_found", True, False) is True
    assert beyond_rounding("laplacian_var", 1000.001, 1000.0) == 1000.0
    assert beyond_rounding("pose_observed", [True] * 23 + [False], [True] * 24)[-1] is False


def test_the_commands_print_what_was_done(ten: Path, tmp_path: Path):
    words = ["annotate", str(ten), "--name", "v2", "--groups", " decisions", "--preset", "everything"]
    done = CliRunner().invoke(app, [*words, "--set", "blur.min=0.45"])
    assert done.exit_code == 0, done.output
    assert "left: blurred" in done.output
    assert "10  from the record alone" in done.output
    done = CliRunner().invoke(app, ["bake", str(ten), str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "kept 5   rejected 6" in done.output
    assert "folded in: v2" in done.output
