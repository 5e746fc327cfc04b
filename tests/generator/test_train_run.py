"""A run in its folder: what it leaves, how it is resumed, and how it ends when it should not."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from training_dataset import SETS, read_log, write_portraits

from phq.errors import ConfigError, InputError, OutputError
from phq.generator.train import loop, preview
from phq.generator.train.checkpoint import checkpoints, latest
from phq.generator.train.networks import AVERAGES
from phq.generator.train.phases import DivergedError, Phases
from phq.generator.train.run import read_config, train

STEPS = 6
BATCH = 4


def same_end(one: Path, other: Path) -> bool:
    """Every line of the log, and every weight, moment and random state, bit for bit."""
    a, b = latest(one), latest(other)
    tensors = a.read(), b.read()
    assert read_log(one) == read_log(other)
    assert {**a.facts(), "config": None} == {**b.facts(), "config": None}
    return list(tensors[0]) == list(tensors[1]) and all(torch.equal(v, tensors[1][k]) for k, v in tensors[0].items())


def test_what_a_run_leaves(whole_run: Path):
    lines = read_log(whole_run)
    assert [line["images"] for line in lines] == [4, 8, 12, 16, 20, 24]
    assert ["loss/r1" in line for line in lines] == [True, False] * 3
    assert ["loss/density" in line for line in lines] == [True, False, False] * 2
    assert [line["now/stage"] for line in lines] == [1, 1, 2, 2, 2, 2]
    assert [line["now/raw"] for line in lines] == [8, 8, 8, 10, 12, 12]
    assert [found.images for found in checkpoints(whole_run)] == [12, 24]
    assert Image.open(whole_run / "pictures" / "000000024.png").size == (16 * len(preview.COLUMNS), 16 * 2)
    assert (whole_run / "pictures" / "000000024.mp4").stat().st_size > 500
    assert read_config(whole_run).training.batch == BATCH
    board = EventAccumulator(str(whole_run / "tensorboard")).Reload()
    assert [event.step for event in board.Scalars("loss/generator")] == [4, 8, 12, 16, 20, 24]
    assert [event.step for event in board.Images("people")] == [0, 24]


def test_stopped_and_resumed_is_the_same_run(portraits: Path, whole_run: Path, tmp_path: Path):
    train([portraits], tmp_path / "run", sets=SETS, kimg=0.012)
    torch.rand(7)  # whatever else the process did in between
    done = train([portraits], tmp_path / "run", sets=SETS, kimg=0.024, resume=True)
    assert done.images == STEPS * BATCH
    assert same_end(tmp_path / "run", whole_run)


def test_workers_change_nothing(portraits: Path, whole_run: Path, tmp_path: Path):
    train([portraits], tmp_path / "run", sets=[*SETS, "training.workers=1"])
    assert same_end(tmp_path / "run", whole_run)


def test_means_of_the_log_go_on_after_a_resume(portraits: Path, tmp_path: Path):
    sets = [*SETS, "training.log_kimg=0.008"]
    train([portraits], tmp_path / "whole", sets=sets)
    train([portraits], tmp_path / "run", sets=sets, kimg=0.012)  # between two lines of the log
    train([portraits], tmp_path / "run", resume=True, kimg=0.024)
    assert [line for line in read_log(tmp_path / "run") if line["images"] != 12] == read_log(tmp_path / "whole")


def stop_at(monkeypatch: pytest.MonkeyPatch, call: int, what: Any) -> None:
    """Let something happen in the middle of step number `call` (from 1), after the generator's phase."""
    real, calls = Phases.discriminator, []

    def discriminator(*args: Any) -> Any:
        calls.append(1)
        if len(calls) == call:
            what()
        return real(*args)

    monkeypatch.setattr(Phases, "discriminator", discriminator)


def test_ctrl_c_ends_after_the_step_and_resumes(
    portraits: Path, whole_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    before = signal.getsignal(signal.SIGINT)
    stop_at(monkeypatch, 2, lambda: os.kill(os.getpid(), signal.SIGINT))
    done = train([portraits], tmp_path / "run", sets=SETS)
    assert (done.images, done.finished) == (2 * BATCH, False)
    assert signal.getsignal(signal.SIGINT) is before
    monkeypatch.undo()
    assert train([portraits], tmp_path / "run", resume=True).finished
    assert same_end(tmp_path / "run", whole_run)


def test_a_second_ctrl_c_ends_at_once(portraits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    stop_at(monkeypatch, 2, lambda: [os.kill(os.getpid(), signal.SIGINT) for _ in range(2)])
    with pytest.raises(KeyboardInterrupt):
        train([portraits], tmp_path / "run", sets=SETS)


def test_a_full_disk_keeps_the_last_checkpoint(
    portraits: Path, whole_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    real = os.fsync

    def full(handle: int) -> None:
        if checkpoints(tmp_path / "run"):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="disk is full"):
        train([portraits], tmp_path / "run", sets=SETS)
    monkeypatch.undo()
    assert [found.images for found in checkpoints(tmp_path / "run")] == [12]
    train([portraits], tmp_path / "run", resume=True)
    assert same_end(tmp_path / "run", whole_run)


def test_nan_ends_with_the_last_good_checkpoint(portraits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = loop.Trainer.step

    def step(trainer: loop.Trainer) -> dict[str, float]:
        if trainer.images == 16:
            with torch.no_grad():
                next(trainer.networks.d.parameters()).fill_(float("nan"))
        return real(trainer)

    monkeypatch.setattr(loop.Trainer, "step", step)
    told = r"after 16 images: .*000000012\.json; go on from it with --resume"
    with pytest.raises(DivergedError, match=told) as caught:
        train([portraits], tmp_path / "run", sets=SETS)
    assert "\n" not in str(caught.value)
    assert latest(tmp_path / "run").images == 12
    monkeypatch.undo()
    assert train([portraits], tmp_path / "run", resume=True, sets=["training.optimisers.rate_d=0.001"]).finished
    assert all(value.isfinite().all() for value in latest(tmp_path / "run").read(["g", "d"]).values())


def test_nan_before_the_first_checkpoint(portraits: Path, tmp_path: Path):
    with pytest.raises(DivergedError, match="there is no checkpoint yet"):
        train([portraits], tmp_path / "run", sets=[*SETS, "training.optimisers.rate_g=1e30"])


def test_resume_takes_new_settings_but_no_new_model(portraits: Path, tmp_path: Path):
    run = tmp_path / "run"
    train([portraits], run, sets=SETS, kimg=0.008)
    with pytest.raises(OutputError, match="--resume goes on with it"):
        train([portraits], run, sets=SETS)
    with pytest.raises(ConfigError, match=r"cannot change while it is trained \(model\.style\)"):
        train([portraits], run, resume=True, sets=["model.style=16"])
    with pytest.raises(ConfigError, match="begun with the preset tiny, not paper-512"):
        train([portraits], run, resume=True, preset="paper-512")
    train([portraits], run, resume=True, kimg=0.012, sets=["training.optimisers.rate_g=0.5", "training.keep=1"])
    assert read_config(run).training.optimisers.rate_g == 0.5
    assert [found.images for found in checkpoints(run)] == [12]


def test_resume_with_other_pictures(portraits: Path, tmp_path: Path):
    train([portraits], tmp_path / "run", sets=SETS, kimg=0.008)
    other = write_portraits(tmp_path / "other", 11)
    with pytest.raises(InputError, match="other samples"):
        train([other], tmp_path / "run", resume=True, kimg=0.016)


def test_a_finished_run_has_nothing_left_to_do(portraits: Path, whole_run: Path):
    before = {path: path.stat().st_mtime_ns for path in whole_run.rglob("*.safetensors")}
    assert train([portraits], whole_run, resume=True).finished
    assert {path: path.stat().st_mtime_ns for path in whole_run.rglob("*.safetensors")} == before


def test_resume_of_nothing_begins(portraits: Path, tmp_path: Path):
    assert train([portraits], tmp_path / "run", sets=SETS, kimg=0.004, resume=True).images == 4


def test_a_folder_of_something_else(portraits: Path, tmp_path: Path):
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(OutputError, match="is not empty and no training run"):
        train([portraits], tmp_path, sets=SETS)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{}")
    with pytest.raises(InputError, match="no training run of this version"):
        train([portraits], tmp_path / "broken", resume=True)


def test_two_processes_do_not_train_in_one_folder(portraits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def again() -> None:
        with pytest.raises(OutputError, match="another process is training"):
            train([portraits], tmp_path / "run", resume=True)

    stop_at(monkeypatch, 2, again)
    assert train([portraits], tmp_path / "run", sets=SETS, kimg=0.008).finished


def test_no_gpu(portraits: Path, tmp_path: Path):
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(ConfigError, match="torch sees no GPU"):
        train([portraits], tmp_path / "run", device="cuda")
    with pytest.raises(ConfigError, match="expected auto, cpu, cuda"):
        train([portraits], tmp_path / "run", device="toaster")


def test_a_run_begins_with_the_networks_of_another(portraits: Path, whole_run: Path, tmp_path: Path):
    theirs = latest(whole_run).read(AVERAGES)
    sets = [
        *(text for text in SETS if not text.startswith("model.")),
        "training.seed=5",
        "training.optimisers.rate_g=1e-9",
    ]
    train([portraits], tmp_path / "run", sets=[*sets, "training.optimisers.rate_d=1e-9"], kimg=0.004, start=whole_run)
    mine = latest(tmp_path / "run").read(["g", "d"])
    for name, value in mine.items():
        if value.is_floating_point() and not name.endswith("average"):
            part, _, rest = name.partition(".")
            torch.testing.assert_close(value, theirs[f"{part}_ema.{rest}"], atol=1e-6, rtol=0)
    stated = json.loads((tmp_path / "run" / "config.json").read_bytes())
    assert stated["started_from"] == {"checkpoint": str(latest(whole_run).path), "images": 24}
    assert read_config(tmp_path / "run").model == read_config(whole_run).model
    train([portraits], tmp_path / "run", kimg=0.008, resume=True)
    assert json.loads((tmp_path / "run" / "config.json").read_bytes())["started_from"] == stated["started_from"]
    with pytest.raises(ConfigError, match=r"model\.resolution=32: the model is that of"):
        train([portraits], tmp_path / "other", sets=["model.resolution=32"], start=whole_run)
    assert not (tmp_path / "other").exists()
    with pytest.raises(ConfigError, match="leave out --start-from"):
        train([portraits], tmp_path / "run", resume=True, start=whole_run)
    shutil.rmtree(tmp_path / "run" / "checkpoints")  # as if it had been killed before the first
    train([portraits], tmp_path / "run", kimg=0.004, resume=True)
    again = latest(tmp_path / "run").read(["g"])
    assert again.keys() == {name for name in mine if name.startswith("g.")}
    for name, value in again.items():
        torch.testing.assert_close(value, mine[name], atol=1e-6, rtol=0)


def test_a_run_with_a_critic_is_resumed_bit_for_bit(portraits: Path, tmp_path: Path):
    sets = [*SETS, "training.losses.features=1.0", "training.losses.features_side=32", "training.share_fakes=true"]
    train([portraits], tmp_path / "whole", sets=sets, kimg=0.012)
    train([portraits], tmp_path / "parts", sets=[*sets, "training.checkpoint_kimg=0.004"], kimg=0.008)
    train([portraits], tmp_path / "parts", sets=["training.checkpoint_kimg=0.012"], kimg=0.012, resume=True)
    assert same_end(tmp_path / "parts", tmp_path / "whole")
    assert any(name.startswith("opt_critic") for name in latest(tmp_path / "whole").read())
