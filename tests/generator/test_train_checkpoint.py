"""Checkpoints on the disk: whole or not there, the newest kept, and everything in them."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from training_dataset import SETS

from phq.errors import InputError, OutputError
from phq.generator.train import checkpoint, rng
from phq.generator.train.checkpoint import write
from phq.generator.train.config import load_run_config
from phq.generator.train.networks import Networks
from phq.generator.train.rng import Purpose


def tensors(value: float = 1.0) -> dict[str, Tensor]:
    shared = torch.full((3, 2), value)
    rest = {"g_ema.bias": torch.arange(3), "opt_g.0.step": torch.tensor(4.0)}
    return {"g.weight": shared, "g_ema.weight": shared, **rest}


def test_what_is_written_is_read(tmp_path: Path):
    checkpoint.write(tmp_path, 12800, tensors(), {"steps": 400}, keep=3)
    found = checkpoint.latest(tmp_path)
    assert (found.images, found.facts()["steps"]) == (12800, 400)
    assert all(torch.equal(value, tensors()[name]) for name, value in found.read().items())
    assert sorted(found.read(["g_ema"])) == ["g_ema.bias", "g_ema.weight"]


def test_same_state_same_bytes(tmp_path: Path):
    for folder in ("a", "b"):
        checkpoint.write(tmp_path / folder, 8, tensors(), {"steps": 1}, keep=1)
    files = [sorted((tmp_path / folder).rglob("*.*")) for folder in ("a", "b")]
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]


def test_the_newest_are_kept(tmp_path: Path):
    for images in (4, 8, 12, 100, 1000):
        checkpoint.write(tmp_path, images, tensors(), {}, keep=2)
    assert [found.images for found in checkpoint.checkpoints(tmp_path)] == [100, 1000]
    assert len(list((tmp_path / checkpoint.FOLDER).iterdir())) == 4


def full(_handle: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    checkpoint.write(tmp_path, 4, tensors(), {}, keep=1)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="disk is full"):
        checkpoint.write(tmp_path, 8, tensors(2.0), {}, keep=1)
    monkeypatch.undo()
    found = checkpoint.latest(tmp_path)
    assert found.images == 4
    assert torch.equal(found.read()["g.weight"], tensors()["g.weight"])


def test_tensors_without_their_json_are_no_checkpoint(tmp_path: Path):
    checkpoint.write(tmp_path, 4, tensors(), {}, keep=3)
    checkpoint.write(tmp_path, 8, tensors(2.0), {}, keep=3).path.unlink()
    assert checkpoint.latest(tmp_path).images == 4
    checkpoint.write(tmp_path, 12, tensors(2.0), {}, keep=3)
    names = sorted(path.name for path in (tmp_path / checkpoint.FOLDER).iterdir())
    assert names == [f"0000000{n}.{kind}" for n in ("04", "12") for kind in ("json", "safetensors")]


def test_damage_is_told(tmp_path: Path):
    with pytest.raises(InputError, match="no checkpoint"):
        checkpoint.latest(tmp_path)
    found = checkpoint.write(tmp_path, 4, tensors(), {}, keep=1)
    found.tensors.write_bytes(found.tensors.read_bytes()[:-20])
    with pytest.raises(InputError, match="cannot be read"):
        found.read()
    found.path.write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        found.facts()
    found.path.write_text('{"format": "other/1"}')
    with pytest.raises(InputError, match="no checkpoint of the format"):
        found.facts()


def draw() -> list[float]:
    gauss = np.random.normal()  # noqa: NPY002 (the old generator is what is saved); leaves a second number behind
    return [random.random(), random.gauss(0, 1), gauss, float(torch.rand(()))]


def test_random_states_of_torch_numpy_and_python_come_back(tmp_path: Path):
    draw()
    found, numbers = rng.states()
    checkpoint.write(tmp_path, 4, found, {"rng": numbers}, keep=1)
    expected = [draw() for _ in range(3)]
    saved = checkpoint.latest(tmp_path)
    rng.restore(saved.read(), saved.facts()["rng"])
    assert [draw() for _ in range(3)] == expected


def test_every_sample_and_purpose_has_a_seed_of_its_own():
    found = {seed for run in (0, 1) for purpose in Purpose for seed in rng.seeds(run, purpose, range(100, 200))}
    assert len(found) == 2 * len(Purpose) * 100
    assert rng.seeds(3, Purpose.LATENT_G, range(5, 9))[1:] == rng.seeds(3, Purpose.LATENT_G, range(6, 9))


@pytest.mark.filterwarnings("ignore:.*which is a no-op")
def test_a_checkpoint_of_one_device_is_restored_on_another(tmp_path: Path):
    """The meta device stands for a GPU: the file names no device, and what is restored stays where the networks are."""
    config = load_run_config("tiny", sets=SETS)
    networks = Networks(config, torch.device("cpu"))
    for optimiser, net in ((networks.opt_g, networks.g), (networks.opt_d, networks.d)):
        for parameter in net.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimiser.step()
    saved = write(tmp_path, 4, networks.tensors(), {}, keep=1)
    elsewhere = Networks(config, torch.device("meta"))
    elsewhere.restore(saved.read())
    state = elsewhere.opt_g.state_dict()["state"]
    assert len(state) == len(list(elsewhere.g.parameters()))
    assert {values[name].device.type for values in state.values() for name in ("exp_avg", "exp_avg_sq")} == {"meta"}
    assert {p.device.type for p in elsewhere.g_ema.parameters()} == {"meta"}
