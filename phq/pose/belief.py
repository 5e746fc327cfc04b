"""What is believed of a person's orientation before the body is fitted to all evidence."""

from __future__ import annotations

from dataclasses import dataclass

from phq.work import Floats


@dataclass(frozen=True)
class Belief:
    """Rotations about the line of sight to the neck, with standard deviations."""

    torso: Floats
    """3×3 body axes (left, up, front) to OpenCV camera axes; head the same."""
    head: Floats
    torso_sigma: Floats
    """(3,) radians about the body's x, y and z axes: pitch, yaw, roll; head the same."""
    head_sigma: Floats
