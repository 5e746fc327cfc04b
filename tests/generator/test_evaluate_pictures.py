"""Pictures of any generator against a dataset: distance, precision, recall."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")

from generator_runs import app
from typer.testing import CliRunner

from phq.dataset.reader import Dataset
from phq.errors import InputError
from phq.generator.evaluate.distances import precision_recall
from phq.generator.evaluate.pictures import evaluate_pictures, pictures_in, table


def test_what_lies_among_the_real_is_precise_and_what_reaches_them_all_recalls():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(200, 4))
    narrow = real[:1] + rng.normal(size=(40, 4)) * 1e-2  # one real person, again and again
    assert precision_recall(real, narrow) == {"precision": 1.0, "recall": 0.005}
    wide = rng.normal(size=(200, 4)) * 6
    assert precision_recall(real, wide)["precision"] < 0.2
    assert precision_recall(real, real + 100) == {"precision": 0.0, "recall": 0.0}


def test_neighbours_are_counted_without_the_picture_itself():
    line = np.arange(5.0)[:, None]
    assert precision_recall(line, line[:1] - 2.9)["precision"] == 1.0  # the third neighbour of 0 is at 3
    assert precision_recall(line, line[:1] - 3.1)["precision"] == 0.0


def test_a_folder_of_pictures_is_compared_with_a_dataset(portraits: Path, tmp_path: Path):
    folder, dataset = tmp_path / "pictures", Dataset(portraits, split="train")
    (folder / "deep").mkdir(parents=True)
    for i in range(len(dataset)):
        Image.fromarray(dataset[i].image).save(folder / "deep" / f"{i}.png")
    Image.new("L", (4, 4)).save(folder / "0-mask.png")
    assert len(pictures_in(folder)) == len(dataset)
    report = evaluate_pictures(folder, portraits, out=tmp_path / "r.json", count=6, batch=4, seed=0)
    assert json.loads((tmp_path / "r.json").read_text()) == json.loads(json.dumps(report))
    assert (report["side"], report["fid"]) == (64, None)
    assert 0 <= report["fd_mobilenetv2"]["precision"] <= 1
    grey = tmp_path / "grey"
    grey.mkdir()
    for i in range(6):
        Image.new("RGB", (64, 64), (40 * i, 0, 0)).save(grey / f"{i}.png")
    worse = evaluate_pictures(grey, portraits, count=6, batch=4, seed=0)
    assert worse["fd_mobilenetv2"]["distance"] > 2 * report["fd_mobilenetv2"]["distance"]
    assert worse["fd_mobilenetv2"]["precision"] == 0
    assert "FD-MobileNetV2" in table(report)
    command = ["evaluate", str(grey), "--data", str(portraits), "--count", "6"]
    assert "6 pictures of 64²" in CliRunner().invoke(app, command, catch_exceptions=False).output


def test_pictures_of_two_sides_are_refused(portraits: Path, tmp_path: Path):
    for side in (32, 64):
        Image.new("RGB", (side, side)).save(tmp_path / f"{side}.png")
    with pytest.raises(InputError, match="as the others"):
        evaluate_pictures(tmp_path, portraits, count=2, batch=2, seed=0)
    (tmp_path / "32.png").unlink()
    with pytest.raises(InputError, match="a distance needs two of each"):
        evaluate_pictures(tmp_path, portraits, count=2, batch=2, seed=0)
