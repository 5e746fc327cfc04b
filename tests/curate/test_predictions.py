"""``phq annotate --predictions``: labels of other programs come back, in their formats, replaced or fused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from predicted_files import body_box, jsonl, lp300w, parquet, people, turned
from predicted_rows import (
    BODIES,
    EULER,
    HEADS,
    axis_angle,
    degrees,
    errors,
    head_in,
    noisy_bodies,
    noisy_heads,
    photo_and_box,
    root_in,
    take,
)
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

from phq.cli import app
from phq.curate.predictions.annotation import FUSE, REPLACE, Predictions, annotate_from_predictions
from phq.dataset.overlays import about_overlay
from phq.dataset.reader import Dataset
from phq.errors import ConfigError, InputError
from phq.exchange.crops_list import export_crops
from phq.pose.orient.angles import angles_of


@pytest.mark.parametrize("name", HEADS)
def test_heads_in_every_convention_come_back(name: str, dataset: Path, tmp_path: Path) -> None:
    convention, base, *_ = HEADS[name]
    file, expected = noisy_heads(name, dataset, tmp_path)
    done = take(dataset, file, "headpose", convention)
    assert (done.matched, done.unmatched, done.left) == (16, 0, [])
    for person, rotation in zip(people(dataset), expected, strict=True):
        np.testing.assert_allclose(head_in(person, base), rotation, atol=1e-4)


@pytest.mark.parametrize("name", BODIES)
def test_bodies_in_every_convention_come_back(name: str, dataset: Path, tmp_path: Path) -> None:
    kind, convention, *_ = BODIES[name]
    file, expected = noisy_bodies(name, dataset, tmp_path)
    done = take(dataset, file, kind, convention)
    assert (done.matched, done.unmatched, done.left) == (16, 0, [])
    for person, (chest, joints) in zip(people(dataset), expected, strict=True):
        np.testing.assert_allclose(person.photo, chest, atol=1e-4)
        np.testing.assert_allclose(person.root(person.photo), root_in(chest, joints), atol=1e-4)
        np.testing.assert_allclose(person.joints[1:22], joints[1:22], atol=1e-4)


@pytest.mark.parametrize(("mode", "share"), [(REPLACE, 1.0), (FUSE, 0.5)])
def test_a_neck_that_is_stated_with_the_head_is_not_shared_out(
    mode: str, share: float, dataset: Path, tmp_path: Path
) -> None:
    rng, before = np.random.default_rng(5), people(dataset)
    necks = [Rotation.from_rotvec(rng.normal(0, 0.2, 3)) for _ in before]
    heads = [p.crop @ neck.as_matrix() @ turned(np.eye(3), 9, rng) for p, neck in zip(before, necks, strict=True)]
    rows = [
        {"key": p.row["key"], "neck": neck.as_rotvec(), "rotation": head}
        for p, neck, head in zip(before, necks, heads, strict=True)
    ]
    done = take(dataset, jsonl(tmp_path / "d.jsonl", rows), "headpose", "headshot", mode=mode, sigma=8.0)
    assert (done.matched, done.left) == (16, [])
    for old, new, neck, head in zip(before, people(dataset), necks, heads, strict=True):
        own = Rotation.from_matrix(old.joints[12])
        between = own * Rotation.from_rotvec(share * (own.inv() * neck).as_rotvec())
        np.testing.assert_allclose(new.joints[12], between.as_matrix(), atol=1e-4)
        if mode == REPLACE:
            np.testing.assert_allclose(new.head(new.crop), head, atol=1e-4)


def test_fused_labels_are_better_than_either_source(dataset: Path, tmp_path: Path) -> None:
    """Noise on the dataset's own labels, and other noise of the same size on predictions."""
    rng = np.random.default_rng(2)
    true = [person.head(person.photo) for person in people(dataset)]
    first = parquet(
        tmp_path / "own.parquet", [axis_angle(p, turned(r, 9, rng)) for p, r in zip(people(dataset), true, strict=True)]
    )
    annotate_from_predictions(dataset, "own", Predictions(first, "headpose", "full-image"))
    own = errors(dataset, true)
    rows = [turned(rotation, 9, rng) for rotation in true]
    file = jsonl(tmp_path / "other.jsonl", [axis_angle(p, r) for p, r in zip(people(dataset), rows, strict=True)])
    other = np.array([degrees(a, b) for a, b in zip(rows, true, strict=True)])
    done = take(dataset, file, "headpose", "full-image", mode=FUSE)
    both = errors(dataset, true)
    assert 5 < done.sigma < 15
    assert both.mean() < 0.85 * min(own.mean(), other.mean())


def test_after_a_wrong_replacement_the_labels_of_before_can_be_fused(dataset: Path, tmp_path: Path) -> None:
    file, _ = noisy_heads("axis-angle.parquet", dataset, tmp_path)
    fused = take(Path(shutil.copytree(dataset, tmp_path / "other")), file, "headpose", "full-image", mode=FUSE)
    rng, [base] = np.random.default_rng(3), Dataset(dataset).overlays
    wrong = jsonl(tmp_path / "wrong.jsonl", [axis_angle(p, turned(np.eye(3), 40, rng)) for p in people(dataset)])
    annotate_from_predictions(dataset, "wrong", Predictions(wrong, "headpose", "full-image", trusted=True))
    told: list[str] = []
    again = Predictions(file, "headpose", "full-image", FUSE)
    done = annotate_from_predictions(dataset, "right", again, revision=base, notify=told.append)
    assert done.sigma == fused.sigma
    assert Dataset(dataset).overlays == [base, "right"]
    assert [line for line in told if "leaves out wrong" in line]
    there, other = (Dataset(folder).columns(["key", "head_yaw_deg"]) for folder in (dataset, tmp_path / "other"))
    assert there == other


@pytest.mark.parametrize("mode", [REPLACE, FUSE])
def test_what_a_program_states_is_stored_beside_the_labels(mode: str, dataset: Path, tmp_path: Path) -> None:
    file, stated = noisy_heads("whenet.jsonl", dataset, tmp_path)
    take(dataset, file, "headpose", "whenet", mode=mode, version="0.0.4", sigma=7.0)
    for item, rotation in zip(Dataset(dataset, rejects=True), stated, strict=True):
        kept, yaw = item.row, angles_of(rotation)[0]
        assert (kept["headpose_network"], kept["headpose_gate"]) == ("WHENet 0.0.4", "used")
        assert abs((kept["headpose_yaw_deg"] - yaw + 180) % 360 - 180) < 0.05
        assert kept["headpose_sigma_deg"] == 7.0
        assert (abs(kept["headpose_yaw_deg"] - kept["head_yaw_deg"]) < 1e-3) == (mode == REPLACE)


def test_keypoints_come_back_from_pixels_and_from_fractions_of_the_box(dataset: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows, expected = [], []
    for person in people(dataset):
        box = body_box(person)
        own = np.reshape(person.row["coco_keypoints"], (17, 3))
        points = own + np.column_stack([rng.normal(0, 1, (17, 2)), np.zeros(17)])
        xy = (points[:, :2] - box[:2]) / (box[2:] - box[:2])
        rows.append({**photo_and_box(person), "keypoints": np.column_stack([xy, points[:, 2]])})
        expected.append(points)
    file = parquet(tmp_path / "keypoints.parquet", rows)
    with pytest.raises(InputError, match="crop in place of full-image"):
        take(dataset, file, "keypoints", "fractions")
    assert take(dataset, file, "keypoints", "fractions,crop").matched == 16
    found = [np.reshape(person.row["coco_keypoints"], (17, 3)) for person in people(dataset)]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_round_trip_is_two_commands(dataset: Path, tmp_path: Path) -> None:
    runner, listed = CliRunner(), tmp_path / "crops.jsonl"
    words = ["export", "crops", str(dataset), "--for", "whenet", "--out", str(listed)]
    assert runner.invoke(app, words, catch_exceptions=False).exit_code == 0
    rows = [json.loads(line) for line in listed.read_text().splitlines()]
    heads = {person.row["key"]: lp300w(head_in(person, "straight")) for person in people(dataset)}
    for row in rows:  # what the other program adds; matched again by photo and the head's box
        row |= dict(zip(EULER, heads[row.pop("key")], strict=True))
    words = ["annotate", str(dataset), "--name", "heads", "--predictions", str(jsonl(tmp_path / "out.jsonl", rows))]
    more = ["--as", "headpose", "--convention", "whenet", "--source-version", "0.0.4", "--json", "-"]
    done = runner.invoke(app, [*words, *more], catch_exceptions=False)
    assert done.exit_code == 0
    assert '"matched": 16' in done.stdout
    about = about_overlay(Dataset(dataset).root, "heads")["predictions"]
    assert (about["source"], about["source_version"]) == ("WHENet", "0.0.4")
    assert about["licence"].startswith("BSD-3-Clause")


def test_a_list_of_crops_replaces_nothing_and_knows_its_programs(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "list.jsonl"
    with pytest.raises(ConfigError, match="--for 'nobody': there are phq, whenet"):
        export_crops(dataset, out, "nobody")
    out.write_text("mine")
    with pytest.raises(ConfigError, match="is not a list of phq"):
        export_crops(dataset, out, "4dhumans")
    out.unlink()
    assert export_crops(dataset, out, "4dhumans").people == export_crops(dataset, out, "4dhumans").people == 16
    first = json.loads(out.read_text().splitlines()[0])
    row = people(dataset)[0].row
    assert first["box"] == pytest.approx(body_box(people(dataset)[0]), abs=0.01)
    assert (first["photo"], first["focal_px"], first["image_size"]) == (row["source_path"], 500.0, [640, 480])
    with pytest.raises(InputError, match="no samples"):
        export_crops(dataset, out, "whenet", where="key = ''")
