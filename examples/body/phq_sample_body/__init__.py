"""A body and a head pose back end for phq, on one small network that `train.py` trained on rendered people.

They show the protocols; they are not good. A network of yours takes the place of `sample_body.onnx`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from phq.detect.boxes import Boxes
from phq.people.person import BodyPose, HeadPose
from phq.photos.region import Region, sample
from phq.system.arrays import Floats, Image
from phq.weights.devices import open_onnx
from phq.weights.digest import sha256_once
from phq.weights.embedded import Weight

SIDE = 48
FILE = Path(__file__).with_name("sample_body.onnx")
SIGMA_DEG, FLIP = 25.0, 0.1
"""About what it is off on renders that it has not seen."""


def square_of(box: Boxes) -> Region:
    """Square as wide as the upper part of a person, from the top of the box."""
    x0, y0, x1, y1 = (float(edge) for edge in box)
    side = max(1.15 * min(x1 - x0, y1 - y0), 1.0)
    return Region((x0 + x1) / 2, y0 + 0.45 * side, side)


def _rotation(columns: Floats) -> Floats:
    """3×3 from its second and third column (2, 3), made orthogonal."""
    up = columns[0] / max(float(np.sqrt((columns[0] ** 2).sum())), 1e-6)
    front = columns[1] - up * float((columns[1] * up).sum())
    front = front / max(float(np.sqrt((front**2).sum())), 1e-6)
    return np.column_stack([np.cross(up, front), up, front])


def weight() -> Weight:
    """The network's file."""
    size = FILE.stat().st_size
    return Weight("sample-body", FILE.name, sha256_once(FILE), size, "Apache-2.0", "examples/body", "sample body")


class _Network:
    def __init__(self, weights: str = "") -> None:
        self.session = open_onnx(FILE)

    @classmethod
    def weights(cls, weights: str = "") -> tuple[Weight, ...]:
        """The file beside this module."""
        return (weight(),)

    def run(self, pixels: Image, box: Boxes) -> tuple[Floats, Region]:
        """(15,) numbers, and the square that was shown."""
        region = square_of(box)
        shown = sample(pixels, region, SIDE).astype(np.float32).transpose(2, 0, 1)[None] / 127.5 - 1
        return self.session.run(["body"], {"image": shown})[0][0].astype(np.float64), region


class SampleBody(_Network):
    """`estimate(jobs)` for the slot ``body``."""

    name = "sample"

    def estimate(self, jobs: Sequence[tuple[Image, Boxes]]) -> list[BodyPose]:
        """See `phq.detect.backends.protocols.BodyNetwork`."""
        return [self._body(*self.run(*job)) for job in jobs]

    def _body(self, values: Floats, region: Region) -> BodyPose:
        torso, head = (_rotation(part) for part in values[:12].reshape(2, 2, 3))
        joints = np.tile(np.eye(3), (24, 1, 1))
        joints[0], joints[15] = torso, torso.T @ head
        neck = np.array([region.cx, region.cy]) + values[12:14] * region.side
        scale = max(float(values[14]) * region.side / 0.5, 1.0)
        return BodyPose(joints, np.zeros(10), neck, scale, SIGMA_DEG, FLIP)


class SampleHead(_Network):
    """`estimate(jobs)` for the slot ``headpose``: the head of the same network, shown the head and what is below."""

    name = "sample"
    frontal = False

    def estimate(self, jobs: Sequence[tuple[Image, Boxes]]) -> list[HeadPose]:
        """See `phq.detect.backends.protocols.HeadPoseNetwork`."""
        found = []
        for pixels, box in jobs:
            x0, y0, x1, y1 = box
            bust = np.array([x0 - 0.5 * (x1 - x0), y0, x1 + 0.5 * (x1 - x0), y0 + 2 * (y1 - y0)])
            found.append(HeadPose(_rotation(self.run(pixels, bust)[0][6:12].reshape(2, 3)), SIGMA_DEG, FLIP))
        return found
