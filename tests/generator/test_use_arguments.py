"""What people may write for seeds, poses and conditioning, and what opening a run takes and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from generator_runs import IMAGES, write_run

from phq.camera.rotations import rotvec_to_rotmat
from phq.errors import ConfigError, InputError
from phq.generator.train.checkpoint import latest
from phq.generator.use.arguments import parse_conditioning, parse_pose, parse_seeds
from phq.generator.use.opening import at_distance, open_trained


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("5", [5]), ("0-3,12", [0, 1, 2, 3, 12]), (" 7 - 8 , 2", [7, 8, 2]), ("1,1-2", [1, 2])],
)
def test_lists_of_seeds(text: str, seeds: list[int]):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "3-", "-3", "1,,2", "1.5", "4-2"])
def test_what_is_no_list_of_seeds(text: str):
    with pytest.raises(ConfigError, match="--seeds"):
        parse_seeds(text)


def test_a_pose_turns_neck_and_head_to_the_subjects_left():
    pose = parse_pose("30,-10")
    neck, head = (rotvec_to_rotmat(np.asarray(part, float)) for part in np.split(np.asarray(pose), 2))
    for turn, degrees in ((neck, 30), (neck @ head, 20)):
        looks = turn @ [0, 0, 1]
        assert np.degrees(np.arctan2(looks[0], looks[2])) == pytest.approx(degrees)
    assert (parse_pose("own"), parse_pose("rest")) == ("own", "rest")


@pytest.mark.parametrize("text", ["left", "10", "1,2,3", "nan,0", ""])
def test_what_is_no_pose(text: str):
    with pytest.raises(ConfigError, match=r"--pose.*two yaws"):
        parse_pose(text)


def test_conditioning():
    assert [parse_conditioning(t) for t in ("front", "same", "90", "-30,5")] == [(0, 0), None, (90, 0), (-30, 5)]
    with pytest.raises(ConfigError, match="--conditioning 'behind'"):
        parse_conditioning("behind")


def test_a_run_is_opened_by_its_folder_or_by_a_checkpoint(tmp_path: Path):
    write_run(tmp_path, IMAGES)
    write_run(tmp_path, 2 * IMAGES, seed=1)
    files = sorted((tmp_path / "checkpoints").iterdir())
    assert [file.name for file in files] == [f"{n:09d}.{s}" for n in (12, 24) for s in ("json", "safetensors")]
    assert [open_trained(file, "cpu").images for file in (tmp_path, *files)] == [24, 12, 12, 24, 24]
    averaged = latest(tmp_path).read(["g_ema"])
    loaded = open_trained(tmp_path, "cpu").g
    assert loaded.training is False
    assert all(torch.equal(averaged[f"g_ema.{name}"], value) for name, value in loaded.state_dict().items())


def test_what_cannot_be_opened_gets_a_sentence(tmp_path: Path):
    with pytest.raises(InputError, match="has no checkpoint"):
        open_trained(tmp_path)
    with pytest.raises(InputError, match="is no checkpoint"):
        open_trained(tmp_path / "network.safetensors")
    path = latest(write_run(tmp_path)).path
    with pytest.raises(ConfigError, match="--device tpu"):
        open_trained(tmp_path, "tpu")
    facts = json.loads(path.read_text())
    facts["config"]["model"]["style"] = 16
    path.write_text(json.dumps(facts))
    with pytest.raises(InputError, match="does not fit the model"):
        open_trained(tmp_path, "cpu")
    del facts["config"]
    path.write_text(json.dumps(facts))
    with pytest.raises(InputError, match="another version"):
        open_trained(tmp_path, "cpu")


def test_a_camera_at_another_distance_looks_at_the_same_room(tmp_path: Path):
    g = open_trained(write_run(tmp_path), "cpu").g
    near = at_distance(g, 2.0)
    assert (near.config.render.near, near.config.render.far) == pytest.approx((2.42 - 0.7, 2.98 - 0.7))
    assert (g.config.render.near, g.config.render.far) == (2.42, 2.98)
    assert near.decoder is g.decoder
