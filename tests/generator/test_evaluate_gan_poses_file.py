"""``phq gan poses``: what the discriminator sees becomes labels by ``phq annotate --predictions``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from generator_runs import app
from training_dataset import SETS
from typer.testing import CliRunner

from phq.curate.predictions.annotation import Predictions, annotate_from_predictions
from phq.dataset.reader import Dataset
from phq.errors import InputError
from phq.generator.evaluate.poses import pose_errors, stated_poses
from phq.generator.evaluate.poses_file import write_poses
from phq.generator.evaluate.real import look
from phq.generator.evaluate.subject import read_trained
from phq.generator.train.checkpoint import latest
from phq.generator.train.run import train
from phq.synth.synthesising import synthesise
from phq.synth.views import Spread


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("drawn") / "people"
    synthesise(out, 12, size=64, seed=3, spread=Spread(pose_noise=10), val=0.25, workers=1)
    return out


@pytest.fixture(scope="module")
def trained_run(drawn, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    train([drawn], out, sets=[*SETS, "training.split=''"], device="cpu")
    return out


def test_the_discriminators_poses_become_the_labels(drawn, trained_run, tmp_path):
    file = tmp_path / "poses.jsonl"
    done = CliRunner().invoke(app, ["poses", str(trained_run), "--data", str(drawn), "--out", str(file)])
    assert done.exit_code == 0, done.output
    everybody = Dataset(drawn)  # of both splits
    assert [json.loads(line)["key"] for line in file.read_text().splitlines()] == everybody.keys
    seen = look(everybody, read_trained(latest(trained_run), torch.device("cpu")), {}, batch=8).seen.numpy()
    assert np.ptp(seen, axis=0).max() > 1e-3  # it does not say one pose for everybody
    given = Predictions(file, "headpose", "headshot", trusted=True)
    assert annotate_from_predictions(drawn, "seen", given).matched == len(everybody) == 12
    found = pose_errors(stated_poses(Dataset(drawn, revision="seen")), seen)
    assert max(found[part]["mean"] for part in found) < 0.01


def test_a_run_without_a_pose_network_is_told(drawn, tmp_path):
    sets = [*SETS, "model.pose.enabled=false", "training.kimg=0.004"]
    train([drawn], tmp_path / "run", sets=sets, device="cpu")
    with pytest.raises(InputError, match="no network that predicts poses"):
        write_poses(tmp_path / "run", drawn, tmp_path / "poses.jsonl")
    assert not (tmp_path / "poses.jsonl").exists()
