"""Grids of points: what hair, hats and collars are made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from phq.schema import SMPL_JOINTS
from phq.synth.noise import smoothstep
from phq.system.arrays import Doubles

CHEST, HEAD = SMPL_JOINTS.index("spine3"), SMPL_JOINTS.index("head")


class Part(IntEnum):
    """What a vertex of a figure belongs to; a face belongs to what its first vertex does."""

    BODY = 0
    EYE = 1
    HAIR = 2
    HAT = 3
    COLLAR = 4


@dataclass(frozen=True)
class Sheet:
    """A grid that is seen from both sides."""

    points: Doubles
    """(R, C, 3) at rest on the mean shape, metres, neck at the origin."""
    part: Part
    on_skin: bool = False
    """It moves as the skin beneath does; otherwise with the head above the neck and with the chest below."""
    closed: bool = True
    """The last column joins the first."""

    def faces(self) -> NDArray[np.int64]:
        """(F, 3) numbers of the flattened points: two triangles a square."""
        rows, columns = self.points.shape[:2]
        number = np.arange(rows * columns).reshape(rows, columns)
        right = np.roll(number, -1, axis=1) if self.closed else number[:, 1:]
        left = number if self.closed else number[:, :-1]
        a, b, c, d = (part.ravel() for part in (left[:-1], right[:-1], right[1:], left[1:]))
        return np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])

    def weights(self) -> Doubles:
        """(R·C, 24) skinning weights between head and chest, by height."""
        head = smoothstep(-0.06, 0.05, self.points.reshape(-1, 3)[:, 1])
        weights = np.zeros((len(head), len(SMPL_JOINTS)))
        weights[:, HEAD], weights[:, CHEST] = head, 1 - head
        return weights
