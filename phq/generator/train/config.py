"""A training run's configuration: preset, a user's TOML file and ``--set``, one over the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from phq.config.reading import Section, Settings, read_toml, setting_names
from phq.generator.config import ModelConfig

PRESETS = Path(__file__).parent.parent / "presets"
DEFAULT = "tiny"

Count = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(ge=0)]
Kimg = Annotated[float, Field(ge=0)]
Rate = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Side = Annotated[int, Field(ge=32, multiple_of=32)]


class Stage(Section):
    """One of the stages of a run: what changes when `until_kimg` thousand images of the stage before are reached."""

    until_kimg: Annotated[float, Field(gt=0)] = Field(description="end of the stage, thousands of images of the run")
    train_pose: bool = Field(default=True, description="the generator's pose predictor learns; if not, it is frozen")
    metric_pose: Literal["generator", "discriminator"] = Field(
        default="generator", description="whose poses a measurement renders with"
    )
    raw: tuple[Count, Count] = Field(
        default=(64, 64), strict=False, description="side of the raw image at the stage's start, and after raw_kimg"
    )
    raw_kimg: Kimg = Field(default=0.0, description="thousands of images over which it grows")


class Losses(Section):
    """Weights of the losses, and what is faded in or out; upstream's names and numbers are in docs/train.md."""

    r1: Weight = Field(default=1.0, description="R1 on image and raw image, γ")
    r1_mask: Weight = Field(default=1.0, description="R1 on the mask")
    r1_every: Count = Field(default=16, description="steps from one R1 to the next")
    density: Weight = Field(default=0.0, description="density regularisation; 0 leaves it out")
    density_every: Count = Field(default=4, description="steps from one density regularisation to the next")
    density_step: Rate = Field(default=0.004, description="standard deviation of the step, sides of the cube")
    density_points: Count = Field(default=1000, description="pairs of points a sample")
    features: Weight = Field(
        default=0.0, description="a second discriminator's on frozen features of ImageNet; 0 leaves it out"
    )
    features_side: Side = Field(default=96, description="side that pictures have for it, pixels; a multiple of 32")
    pose: Weight = Field(default=1.0, description="D's pose of a fake against the pose it was rendered with")
    coarse_pose: Weight = Field(default=0.5, description="G's pose against the coarse pose of the camera's picture")
    coarse_pose_kimg: tuple[Kimg, Kimg] = Field(
        default=(200.0, 400.0), strict=False, description="full weight until the first, none from the second"
    )
    stated_pose: tuple[Share, Share] = Field(
        default=(0.0, 0.0),
        strict=False,
        description="share of fakes rendered with the coarse pose, before and after the fade of coarse_pose_kimg",
    )
    swap: tuple[Weight, Weight] = Field(
        default=(1.0, 0.7), strict=False, description="probability of a neighbour's conditioning, at first and later"
    )
    swap_kimg: Kimg = Field(default=1000.0, description="thousands of images from the first to the second")
    background_swap: Share = Field(default=0.2, description="probability of a neighbour's background")
    blur: Weight = Field(default=10.0, description="blur of what D sees at the start, pixels of the image")
    blur_kimg: Kimg = Field(default=200.0, description="thousands of images until it is gone; in the first stage")
    density_noise: Weight = Field(default=1.0, description="noise on densities at the start")
    density_noise_kimg: Kimg = Field(default=200.0, description="thousands of images until it is gone")


class Optimisers(Section):
    """Adam for both networks, and the average of their weights."""

    rate_g: Rate = Field(default=0.0025, description="learning rate of the generator")
    rate_d: Rate = Field(default=0.002, description="learning rate of the discriminator")
    rate_features: Rate = Field(default=0.002, description="learning rate of the discriminator on frozen features")
    betas: tuple[Weight, Weight] = Field(default=(0.0, 0.99), strict=False, description="decay of Adam's averages")
    ema_kimg: Rate = Field(default=10.0, description="half-life of the averages, thousands of images")
    ema_ramp: Weight = Field(default=0.05, description="half-life at most this part of the images so far; 0: no limit")


class Pictures(Section):
    """What is looked at while the run goes on; images are shown after every so many thousand."""

    people: Count = Field(default=4, description="fixed latents in a grid")
    grid_kimg: Rate = Field(default=200.0, description="thousands of images from one grid to the next")
    video_kimg: Rate = Field(default=2000.0, description="thousands of images from one orbit video to the next")
    frames: Count = Field(default=60, description="frames of a video, once around")


class Training(Section):
    """How the networks are trained; the defaults are upstream's. docs/train.md explains the schedules."""

    seed: Annotated[int, Field(ge=0)] = Field(default=0, description="random seed")
    batch: Count = Field(default=32, description="images of a step, of all processes together")
    part: Count = Field(default=4, description="images that a process computes at a time")
    kimg: Rate = Field(default=14000.0, description="length of the run, thousands of real images")
    share_fakes: bool = Field(
        default=False,
        description="the discriminator sees the fakes that the generator was taught by: half the rendering",
    )
    mirror: bool = Field(default=True, description="every picture as its mirror image too")
    balance: str = Field(default="", description="'yaw', a column of weights, or '' for every picture once")
    shares: tuple[Rate, ...] = Field(
        default=(), strict=False, description="shares of the datasets in a batch; empty: in proportion to their sizes"
    )
    split: str = Field(default="train", description="split of the datasets that is trained on; '' for all")
    channels_last: bool = Field(
        default=True, description="weights of convolutions with the channels last in memory; on a CPU up to 64 pixels"
    )
    tf32: bool = Field(default=False, description="float32 products of a GPU with 10 bits of mantissa")
    compile: bool = Field(default=False, description="torch.compile both networks")
    workers: Annotated[int, Field(ge=0)] = Field(default=0, description="processes that decode, for each process")
    checkpoint_kimg: Rate = Field(default=200.0, description="thousands of images from one checkpoint to the next")
    keep: Count = Field(default=3, description="checkpoints that are kept")
    log_kimg: Rate = Field(default=4.0, description="thousands of images from one line of the log to the next")
    stages: Annotated[tuple[Stage, ...], Field(strict=False, min_length=1)] = Field(
        default=(
            Stage(until_kimg=6000.0),
            Stage(until_kimg=10000.0, train_pose=False, metric_pose="discriminator"),
            Stage(until_kimg=14000.0, train_pose=False, metric_pose="discriminator", raw=(64, 128), raw_kimg=1000.0),
        ),
        description="stages of the run, one after the other; set in a TOML file",
    )
    losses: Losses = Losses()
    optimisers: Optimisers = Optimisers()
    pictures: Pictures = Pictures()

    @model_validator(mode="after")
    def _fits(self) -> Training:
        ends = [stage.until_kimg for stage in self.stages]
        if ends != sorted(set(ends)):
            raise ValueError("stages must end one after the other: their until_kimg must grow")
        if self.batch % self.part:
            part = max(n for n in range(1, self.part) if self.batch % n == 0)
            batch = -(-self.batch // self.part) * self.part
            raise ValueError(
                f"batch = {self.batch} is no multiple of part = {self.part}; set training.part={part}, or "
                f"training.batch={batch}"
            )
        if self.losses.coarse_pose_kimg[0] > self.losses.coarse_pose_kimg[1]:
            raise ValueError("losses.coarse_pose_kimg must not fall")
        return self


class RunConfig(Section):
    """All that a run is made of; stored in ``config.json`` of the run and in each checkpoint."""

    preset: str = Field(default=DEFAULT, description="name of the preset this started from")
    model: ModelConfig = ModelConfig()
    training: Training = Training()


SETTINGS = Settings(RunConfig, PRESETS, "phq gan settings lists all.")


def load_run_config(preset: str | None = None, file: Path | None = None, sets: Sequence[str] = ()) -> RunConfig:
    """Put a configuration together: the preset, `file` over it, `sets` over both.

    Args:
        preset: its name, by default the one that the file names under ``preset``, else `DEFAULT`.
        file: TOML with tables ``[model]`` and ``[training]``; a list of stages replaces that of the preset.
        sets: each ``key=value`` with a dotted key, such as ``training.losses.r1=5``.

    Raises:
        ConfigError: see `phq.config.reading.Settings.load`.
    """
    return SETTINGS.load(preset, DEFAULT, file, sets)


def over(table: Mapping[str, Any], file: Path | None = None, sets: Sequence[str] = ()) -> RunConfig:
    """The configuration in `table`, with `file` and `sets` over it.

    Raises:
        ConfigError: see `phq.config.reading.Settings.load`.
    """
    return SETTINGS.over(table, read_toml(file) if file else {}, sets)


def differences(old: RunConfig, new: RunConfig) -> list[str]:
    """Dotted names of the settings that differ."""
    return [name for name in setting_names(RunConfig) if _value(old, name) != _value(new, name)]


def _value(config: RunConfig, name: str) -> Any:
    return reduce(getattr, name.split("."), config)
