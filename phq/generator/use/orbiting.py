"""`film`: people seen from all around. What ``phq gan orbit`` does."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import torch
from numpy import uint8
from numpy.typing import NDArray

from phq.generator.config import Camera
from phq.generator.train.preview import to_pixels
from phq.generator.use.arguments import OWN
from phq.generator.use.cameras import OWN_CAMERA, camera_at
from phq.generator.use.filming import write_film
from phq.generator.use.people import PeopleAt
from phq.system.arrays import Floats


def film(  # noqa: PLR0913 (as many as the command has options)
    people: PeopleAt,
    out: str | Path,
    *,
    frames: int = 120,
    fps: int = 30,
    pose: Floats | str = OWN,
    pitch: float = 0.0,
    pitch_swing: float = 0.0,
    radius: float | None = None,
    lens: Camera = OWN_CAMERA,
    quiet: bool = True,
) -> Path:
    """Write an H.264 file of `turning`.

    Raises:
        OutputError: the file is there already, is not called .mp4, or cannot be written.
        MissingExtraError: imageio-ffmpeg is not installed.
    """
    return write_film(out, turning(people, frames, pose, pitch, pitch_swing, radius, lens), frames, fps, quiet)


def turning(
    people: PeopleAt,
    frames: int,
    pose: Floats | str = OWN,
    pitch: float = 0.0,
    pitch_swing: float = 0.0,
    radius: float | None = None,
    lens: Camera = OWN_CAMERA,
) -> Iterator[NDArray[uint8]]:
    """Pictures (R, people · R, 3), people side by side, once around from the front over the subject's left.

    Args:
        frames: how many; the one after the last would be the first again.
        pose: see `phq.generator.use.arguments.parse_pose`.
        pitch, pitch_swing: degrees; the camera rises by the swing in the first quarter, and sinks by it in the third.
        radius: metres; that of `lens` if None.
        lens: the cameras that the model is for.
    """
    for i in range(frames):
        height = pitch + pitch_swing * math.sin(2 * math.pi * i / frames)
        camera = camera_at(360.0 * i / frames, height, radius, lens)
        views = [person.seen(camera, person.posed(pose))["image"] for person in people(camera)]
        yield to_pixels(torch.cat(views, dim=3))
