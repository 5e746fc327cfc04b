"""How the joints of SMPL, SMPL-H and SMPL-X files map to the 24 of SMPL."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phq.pose.body import HEAD
from phq.system.arrays import Doubles

FINGERS = 15
"""Joints of a hand: three each of index, middle, little and ring finger and thumb, in this order."""
FIRST_MIDDLE = 3


@dataclass(frozen=True)
class Kind:
    """How the J joints of one member of the family map to SMPL's 24."""

    name: str
    carriers: tuple[int, ...]
    """(J,) for each joint of the file, which of the 24 it moves with."""
    first_finger: int | None
    """First joint of the left hand; the right hand's follow, and nothing after."""

    @property
    def places(self) -> list[int]:
        """(24,) the file's joint for each of the 24."""
        if self.first_finger is None:
            return list(range(24))
        left = self.first_finger + FIRST_MIDDLE
        return [*range(22), left, left + FINGERS]

    @property
    def turning(self) -> list[int]:
        """The file's joints that take the rotation of their carrier; the others stay at rest in it."""
        if self.first_finger is None:
            return list(range(24))
        return [*range(22), *range(self.first_finger, len(self.carriers), 3)]

    def carrying(self, joints: list[int]) -> Doubles:
        """(len(joints), 24), one where the joint of the file moves with the joint of SMPL."""
        return np.eye(24)[[self.carriers[j] for j in joints]]


HANDS = (22,) * FINGERS + (23,) * FINGERS
KINDS = {
    24: Kind("smpl", tuple(range(24)), None),
    52: Kind("smplh", (*range(22), *HANDS), 22),
    55: Kind("smplx", (*range(22), HEAD, HEAD, HEAD, *HANDS), 25),
}
"""By number of joints."""
