"""What the schedules say after a number of images: pure functions of it, so that a resumed run needs no memory of them.

The numbers are upstream's (3DPortraitGAN; docs/train.md lists them). One count of images drives everything: the
published code counts some fades from the start of the run and some from that of the last restart.
"""

from __future__ import annotations

from dataclasses import dataclass

from phq.generator.train.config import Stage, Training


@dataclass(frozen=True)
class Now:
    """What a step is to do."""

    number: int
    """Of the stage, from 0."""
    stage: Stage
    raw: int
    """Side of the raw image, pixels."""
    blur: float
    """Of what the discriminator sees, pixels of the image; 0 for none."""
    swap: float
    """Probability of a neighbour's conditioning."""
    density_noise: float
    coarse_pose: float
    """Weight of the coarse poses."""
    stated_pose: float
    """Share of fakes that are rendered with the coarse pose."""


def ramp(images: float, start: float, end: float, first: float, last: float) -> float:
    """Straight line from `first` at `start` to `last` at `end` images, level on both sides; a jump if both are one."""
    if images >= end:
        return last
    return first if images <= start else first + (last - first) * (images - start) / (end - start)


def stage_at(training: Training, images: int) -> tuple[int, float]:
    """Number of the stage after so many images, and where it began, images; the last one does not end."""
    ends = [stage.until_kimg * 1000 for stage in training.stages[:-1]]
    number = sum(images >= end for end in ends)
    return number, ends[number - 1] if number else 0.0


def now(training: Training, images: int) -> Now:
    """What holds for the step that begins after so many images."""
    number, start = stage_at(training, images)
    stage, losses = training.stages[number], training.losses
    fade, gone = (1000 * kimg for kimg in losses.coarse_pose_kimg)
    return Now(
        number=number,
        stage=stage,
        raw=round(ramp(images, start, start + 1000 * stage.raw_kimg, *stage.raw)),
        blur=0.0 if number else ramp(images, 0, 1000 * losses.blur_kimg, losses.blur, 0.0),
        swap=ramp(images, 0, 1000 * losses.swap_kimg, *losses.swap),
        density_noise=ramp(images, 0, 1000 * losses.density_noise_kimg, losses.density_noise, 0.0),
        coarse_pose=ramp(images, fade, gone, losses.coarse_pose, 0.0),
        stated_pose=ramp(images, fade, gone, *losses.stated_pose),
    )


def ema_decay(training: Training, images: int) -> float:
    """Share of the average that a step leaves: half is left after the half-life, or after the ramp's part of `images`.

    Karras et al. 2021 (StyleGAN3), whose ramp lets the average of a short run leave the random start behind.
    """
    half_life = 1000 * training.optimisers.ema_kimg
    if training.optimisers.ema_ramp:
        half_life = min(half_life, images * training.optimisers.ema_ramp)
    return float(0.5 ** (training.batch / max(half_life, 1e-8)))


def due(before: int, after: int, every_kimg: float) -> bool:
    """Whether a multiple of `every_kimg` thousand images lies in (before, after]."""
    return int(after / (1000 * every_kimg)) > int(before / (1000 * every_kimg))
