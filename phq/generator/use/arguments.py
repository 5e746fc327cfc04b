"""What people write on the command line: lists of seeds, poses, the camera that a person is conditioned on."""

from __future__ import annotations

import numpy as np

from phq.errors import ConfigError
from phq.system.arrays import Floats

OWN, REST = "own", "rest"
FRONT, SAME = "front", "same"


def parse_seeds(text: str, option: str = "--seeds") -> list[int]:
    """Whole numbers of a list such as ``0-9,12``, in its order, each once.

    Raises:
        ConfigError: it is no such list.
    """
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        if not (first.isdecimal() and (last.isdecimal() if dash else True)):
            raise ConfigError(f"{option} {text!r}: write numbers and ranges, such as 0-9,12")
        seeds += range(int(first), int(last or first) + 1)
    if not seeds:
        raise ConfigError(f"{option} {text!r}: a range goes from the smaller to the larger number")
    return list(dict.fromkeys(seeds))


def parse_numbers(text: str, option: str) -> list[float]:
    """Finite numbers between commas.

    Raises:
        ConfigError: it is no such list.
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or not np.isfinite(numbers).all():
        raise ConfigError(f"{option} {text!r}: write numbers with commas between them, such as 0,0.5,1")
    return numbers


def parse_pose(text: str) -> Floats | str:
    """`OWN`, `REST`, or the pose (6,) of neck and head turned by ``NECK,HEAD``, see `turned`.

    Raises:
        ConfigError: it is neither.
    """
    if text in (OWN, REST):
        return text
    neck, head = _degrees(text, "--pose", f"{OWN}, {REST}, or two yaws in degrees, such as 10,20", least=2)
    return turned(neck, head)


def turned(neck_deg: float, head_deg: float) -> Floats:
    """(6,) as `neck_head_pose`, radians: yaws of neck on torso and of head on neck, + to the subject's left."""
    return np.radians([0.0, neck_deg, 0.0, 0.0, head_deg, 0.0])


def parse_conditioning(text: str) -> tuple[float, float] | None:
    """Yaw and pitch, degrees, of the camera of the mapping network; None for `SAME`, the one that renders.

    Raises:
        ConfigError: it is no such thing.
    """
    if text == SAME:
        return None
    if text == FRONT:
        return 0.0, 0.0
    advice = f"{FRONT}, {SAME}, or a yaw, or a yaw and a pitch in degrees, such as 90 or 90,10"
    yaw, pitch = (*_degrees(text, "--conditioning", advice, least=1), 0.0)[:2]
    return yaw, pitch


def _degrees(text: str, option: str, advice: str, least: int) -> list[float]:
    """At least so many finite numbers, at most two."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not (least <= len(numbers) <= 2 and np.isfinite(numbers).all()):
        raise ConfigError(f"{option} {text!r}: write {advice}")
    return numbers
