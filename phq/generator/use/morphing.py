"""`morph` and `act`: videos of people who become one another, and of one whose neck and head move."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from phq.dataset.reader import Dataset
from phq.errors import ConfigError, InputError
from phq.generator.networks.generator import Rendering
from phq.generator.train.preview import to_pixels
from phq.generator.use.arguments import turned
from phq.generator.use.filming import write_film
from phq.generator.use.opening import Trained
from phq.generator.use.people import Person
from phq.system.arrays import Floats

MOVES: dict[str, Callable[[float], Floats]] = {
    "turn": lambda angle: turned(angle / 2, angle / 2),
    "nod": lambda angle: np.radians([angle / 2, 0, 0, angle / 2, 0, 0]),
    "tilt": lambda angle: np.radians([0, 0, angle / 2, 0, 0, angle / 2]),
}
"""Poses (6,) by angle in degrees, half of it each for neck and head."""


def between(people: Sequence[Person], place: float) -> Person:
    """Who stands between neighbours of a circle of people: at 0 the first, at 0.5 half of them and half the second.

    Styles and poses are interpolated linearly (Karras et al. 2019 interpolate in W), with a smooth start and end.
    """
    number, part = int(place) % len(people), place % 1
    first, second = people[number], people[(number + 1) % len(people)]
    share = part * part * (3 - 2 * part)
    ws, own = torch.lerp(first.ws, second.ws, share), torch.lerp(first.own, second.own, share)
    return Person(first.g, ws, own, first.raw)


def morph(
    people: Sequence[Person],
    trained: Trained,
    out: str | Path,
    *,
    frames: int = 60,
    fps: int = 30,
    swing: float = 30.0,
    quiet: bool = True,
) -> Path:
    """Write an H.264 file in which each becomes the next, and the last the first.

    Args:
        frames: from one to the next.
        swing: degrees of yaw that the camera goes to either side, once in the video.

    Raises:
        ConfigError: fewer than two people.
        OutputError: the file is there already, is not called .mp4, or cannot be written.
        MissingExtraError: imageio-ffmpeg is not installed.
    """
    if len(people) < 2:
        raise ConfigError("a morph needs two people or more: --seeds 0-3")
    count = frames * len(people)

    def seen(i: int) -> Rendering:
        person = between(people, i / frames)
        return person.seen(trained.camera_at(swing * math.sin(2 * math.pi * i / count)), person.own)

    return _filmed(out, count, fps, seen, quiet)


def act(
    person: Person, trained: Trained, poses: Floats, out: str | Path, *, fps: int = 30, yaw: float = 0.0,
    quiet: bool = True,
) -> Path:  # fmt: skip
    """Write an H.264 file of a person in poses (N, 6), one a frame, seen from a yaw in degrees.

    Raises:
        OutputError: the file is there already, is not called .mp4, or cannot be written.
        MissingExtraError: imageio-ffmpeg is not installed.
    """
    camera = trained.camera_at(yaw)
    return _filmed(out, len(poses), fps, lambda i: person.seen(camera, person.posed(poses[i])), quiet)


def moved(move: str, frames: int, degrees: float) -> Floats:
    """(frames, 6) poses of one of `MOVES`: to one side, to the other and back."""
    angles = degrees * np.sin(2 * np.pi * np.arange(frames) / frames)
    return np.stack([MOVES[move](float(angle)) for angle in angles])


def poses_of(dataset: str | Path) -> Floats:
    """(N, 6) poses of neck and head that a dataset states, in the order of its keys: of a video, that of its frames.

    Raises:
        InputError: no dataset, or an empty one.
    """
    opened = Dataset(dataset)
    if not len(opened):
        raise InputError(f"{dataset} has no samples to take poses from")
    column = opened.columns(["neck_head_pose"])["neck_head_pose"].combine_chunks()
    stated = np.asarray(column.flatten().to_numpy(), np.float64).reshape(len(opened), 6)
    return stated[np.argsort(np.array(opened.keys))]


@torch.no_grad()
def _filmed(out: str | Path, count: int, fps: int, seen: Callable[[int], Rendering], quiet: bool) -> Path:
    return write_film(out, (to_pixels(seen(i)["image"]) for i in range(count)), count, fps, quiet)
