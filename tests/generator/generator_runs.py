"""The folder of a run whose generator of 16² has learned nothing, and a command line with the commands that use it."""

from __future__ import annotations

from pathlib import Path

import typer
from training_dataset import SETS

from phq.commands.draw import (
    act_command,
    invert_command,
    mesh_command,
    mix_command,
    morph_command,
    orbit_command,
    sample_command,
    sweep_command,
    view_command,
)
from phq.commands.gan import evaluate_command, export_command, import_command, poses_command
from phq.generator.train import checkpoint
from phq.generator.train.config import load_run_config
from phq.generator.train.networks import Networks
from phq.generator.use.opening import Trained, choose_device, open_trained

IMAGES = 12

app = typer.Typer()
for _name, _command in (
    ("sample", sample_command),
    ("orbit", orbit_command),
    ("mesh", mesh_command),
    ("invert", invert_command),
    ("view", view_command),
    ("act", act_command),
    ("morph", morph_command),
    ("sweep", sweep_command),
    ("mix", mix_command),
    ("export", export_command),
    ("import-checkpoint", import_command),
    ("evaluate", evaluate_command),
    ("poses", poses_command),
):
    app.command(_name)(_command)


def write_run(folder: Path, images: int = IMAGES, seed: int = 0) -> Path:
    """A run with one checkpoint after so many images."""
    config = load_run_config("tiny", sets=[*SETS, f"training.seed={seed}"])
    tensors = Networks(config, choose_device("cpu")).tensors()
    checkpoint.write(folder, images, tensors, {"config": config.model_dump(mode="json")}, keep=3)
    return folder


def opened(folder: Path) -> Trained:
    """The generator of `write_run`."""
    return open_trained(write_run(folder), "cpu")
