"""``phq gan evaluate`` on a run of a few steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_dataset import SETS, write_portraits

from phq.camera.convention import intrinsics
from phq.dataset.overlays import write_overlay
from phq.dataset.reader import Dataset
from phq.errors import InputError
from phq.generator.evaluate import extractors, fakes, masks, run
from phq.generator.evaluate.consistency import view_consistency
from phq.generator.evaluate.material import choose, true_poses
from phq.generator.evaluate.poses import pose_errors, stated_poses
from phq.generator.evaluate.real import look
from phq.generator.evaluate.run import evaluate
from phq.generator.evaluate.subject import read_trained, untrained
from phq.generator.evaluate.table import table
from phq.generator.train.checkpoint import checkpoints, latest
from phq.generator.train.run import read_config, train

CPU = torch.device("cpu")
NOISE = 0.2


@pytest.fixture(scope="module")
def mislabelled(tmp_path_factory) -> Path:
    """Twelve portraits; the overlay on top has poses that are off, and holds three out."""
    folder = write_portraits(tmp_path_factory.mktemp("portraits") / "data", 12)
    exact, rng = Dataset(folder), np.random.default_rng(0)
    poses = exact.table["neck_head_pose"].to_pylist()
    rows = [
        {"key": key, "neck_head_pose": (pose + rng.normal(0, NOISE, 6)).tolist(), "split": "val" if i < 3 else "train"}
        for i, (key, pose) in enumerate(zip(exact.keys, np.array(poses), strict=True))
    ]
    write_overlay(folder, "coarse", rows, ["neck_head_pose", "split"], {"command": "test"})
    return folder


@pytest.fixture(scope="module")
def evaluated_run(mislabelled, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    train([mislabelled], out, sets=SETS, device="cpu")
    return out


@pytest.fixture(autouse=True)
def everyone(monkeypatch):
    """A segmenter that takes no time: the person is whatever is brighter than grey."""
    monkeypatch.setattr(masks, "Segmenter", lambda: lambda images: images.mean(axis=-1) > 127)


def measured(trained: Path, portraits: Path, **options: Any) -> dict[str, Any]:
    return evaluate(trained, portraits, device="cpu", **{"count": 6, "batch": 4, **options})


@pytest.fixture
def report(evaluated_run, mislabelled, everyone):
    """What the evaluation says of the run, in the run's folder."""
    path = evaluated_run / "evaluation" / "000000024.json"
    return json.loads(path.read_text()) if path.exists() else measured(evaluated_run, mislabelled, truth="none")


def test_one_json_holds_every_measure(report, mislabelled):
    assert report["images"] == 24
    assert report["overlays"] == ["coarse"]
    found = report["fd_mobilenetv2"]
    assert found["images"]["all"] == 6
    assert min(found[how]["all"] for how in ("coupled", "decoupled", "untrained")) > 0
    assert found["mean_image"] > 0
    assert report["fid"] is None
    assert "is not there" in report["fid_missing"]
    assert report["view_consistency"]["all"]["pairs"] == 128
    assert set(report["poses"]) == {"trained", "held_out"}
    assert 0 <= report["masks"]["iou_generated"] <= 1
    assert report["masks"]["foreground_dataset"] == pytest.approx(_foreground(mislabelled, 6), abs=0.02)
    text = table(report)
    assert f"{found['coupled']['all']:.1f}" in text
    assert report["fid_missing"] in text


def _foreground(portraits: Path, count: int) -> float:
    dataset = Dataset(portraits, split="train")
    order = np.random.default_rng([0, 0]).permutation(len(dataset))[:count]
    return float(np.mean([dataset[int(i)].mask / 255 for i in order]))


def test_the_report_is_in_the_run_and_the_same_again(report, evaluated_run, mislabelled, tmp_path):
    stored = (evaluated_run / "evaluation" / "000000024.json").read_bytes()
    assert json.loads(stored) == report
    again = measured(evaluated_run, mislabelled, truth="none", out=tmp_path / "deep" / "report.json")
    assert again == report
    assert (tmp_path / "deep" / "report.json").read_bytes() == stored


def test_an_older_checkpoint_is_measured_on_demand(evaluated_run, mislabelled, tmp_path):
    report = measured(evaluated_run, mislabelled, checkpoint=12, out=tmp_path / "r.json")
    assert report["images"] == 12
    assert report["pose"] == "discriminator"  # what its next step would be measured with
    with pytest.raises(InputError, match="no checkpoint after 13 images; it has: 12, 24"):
        measured(evaluated_run, mislabelled, checkpoint=13)


def test_the_untrained_network_is_the_one_that_the_run_began_with(mislabelled, tmp_path):
    sets = [*SETS, "training.kimg=0.004", "training.optimisers.rate_g=1e-12", "training.optimisers.rate_d=1e-12"]
    train([mislabelled], tmp_path / "run", sets=sets, device="cpu")
    (kept,) = checkpoints(tmp_path / "run")
    end, start = read_trained(kept, CPU), untrained(read_config(tmp_path / "run"), CPU)
    for net, fresh in ((end.g, start.g), (end.d, start.d)):
        for name, value in fresh.named_parameters():
            torch.testing.assert_close(net.get_parameter(name), value, rtol=0, atol=1e-6)


def test_poses_are_read_off_pictures_as_in_training(evaluated_run, mislabelled):
    subject = read_trained(latest(evaluated_run), CPU)
    dataset = Dataset(mislabelled)[:3]
    found = look(dataset, subject, {}, batch=2)
    one = look(dataset[1:2], subject, {}, batch=2)
    torch.testing.assert_close(found.seen[1:2], one.seen)
    assert found.seen.abs().max() > 0
    torch.testing.assert_close(found.stated[1], torch.tensor(dataset[1].row["neck_head_pose"]))


def test_the_labels_error_is_the_noise_that_was_put_on_them(report, mislabelled):
    poses = report["poses"]["trained"]
    labels = poses["to_truth"]["labels"]["head"]["mean"]
    assert labels == pytest.approx(np.degrees(NOISE) * 1.6, rel=0.35)  # the mean length of three normal numbers
    exact = true_poses(Dataset(mislabelled), mislabelled, "none")
    stated = stated_poses(Dataset(mislabelled, revision="none"))
    assert pose_errors(stated, exact)["head"]["mean"] == pytest.approx(0, abs=1e-5)


def test_true_poses_are_those_of_the_same_samples(mislabelled):
    exact = Dataset(mislabelled, revision="none")
    poses = true_poses(Dataset(mislabelled).select([3, 1]), mislabelled, "none")
    np.testing.assert_allclose(poses, [exact[3].row["neck_head_pose"], exact[1].row["neck_head_pose"]], rtol=1e-6)


def test_a_decoupled_picture_has_the_same_person_camera_and_pose(evaluated_run, mislabelled):
    subject = read_trained(latest(evaluated_run), CPU)
    found = look(Dataset(mislabelled), subject, {}, batch=4)
    cast = fakes.people(subject, found.camera, found.seen, seed=0)
    other = cast.decoupled(seed=0)
    for name in ("z", "camera", "pose"):
        assert getattr(other, name) is getattr(cast, name)
    assert not (other.condition[0] == cast.condition[0]).all(dim=1).any()
    images = [torch.cat([r["image"] for r in fakes.pictures(subject, w, 5)]) for w in (cast, other)]
    assert not torch.equal(*images)
    (alone,) = fakes.pictures(subject, cast.first(1), 5)
    torch.testing.assert_close(alone["image"], images[0][:1], rtol=1e-4, atol=1e-4)


def test_people_are_rendered_with_the_poses_that_the_stage_says(evaluated_run):
    last, first = read_trained(latest(evaluated_run), CPU), untrained(read_config(evaluated_run), CPU)
    camera, seen = torch.eye(4).flatten().repeat(3, 1), torch.full((3, 6), 0.1)
    camera = torch.cat([camera, torch.eye(3).flatten().repeat(3, 1)], dim=1)
    assert torch.equal(fakes.people(last, camera, seen, seed=0).pose, seen)
    assert not torch.equal(fakes.people(first, camera, seen, seed=0).pose, seen)


def test_view_consistency_of_a_solid_volume_is_known_and_of_an_empty_one_is_not(evaluated_run):
    subject = read_trained(latest(evaluated_run), CPU)
    K = intrinsics().ravel()
    subject.g.decoder.out.bias[0] = 1000.0
    solid = view_consistency(subject, K, seed=0, batch=3)
    assert solid["all"]["ratio"] > 0
    assert solid["front"]["pairs"] + solid["side"]["pairs"] + solid["back"]["pairs"] == solid["all"]["pairs"]
    subject.g.decoder.out.bias[0] = -1000.0
    empty = view_consistency(subject, K, seed=0, batch=8)
    assert empty["all"]["ratio"] is None
    assert empty["all"]["same"] == {"difference": None, "compared": 0, "in_common": 0.0}


def test_one_picture_is_no_set(mislabelled, evaluated_run, tmp_path):
    alone = write_portraits(tmp_path / "one", 1)
    with pytest.raises(InputError, match=r"one picture|no samples"):
        measured(evaluated_run, alone)


def test_the_split_that_was_trained_on_is_not_held_out(mislabelled, evaluated_run):
    config = read_config(evaluated_run)
    both = choose(mislabelled, config, "latest", 100, 0)
    assert len(both.held_out)
    assert not set(both.held_out.keys) & set(both.whole.keys)
    everything = config.model_copy(update={"training": config.training.model_copy(update={"split": ""})})
    assert not len(choose(mislabelled, everything, "latest", 100, 0).held_out)


def test_with_inception_weights_there_are_fid_and_kid(evaluated_run, mislabelled, report, tmp_path, monkeypatch):
    class MeanColour:
        def __call__(self, images):
            return images.mean(axis=(1, 2)).astype(np.float32)

    monkeypatch.setattr(extractors, "find_inception", lambda device: MeanColour())
    monkeypatch.setattr(run, "kid", lambda real, made, seed: {"mean": float(np.abs(real - made).mean()), "std": 0.0})
    other = measured(evaluated_run, mislabelled, seed=1, out=tmp_path / "other.json")
    assert other["fid"]["coupled"]["all"] > 0
    assert set(other["kid"]) == {"coupled", "decoupled", "untrained"}
    assert "fid_missing" not in other
    assert "KID" in table(other)
    assert other["fd_mobilenetv2"] != report["fd_mobilenetv2"], "another seed draws other people"
