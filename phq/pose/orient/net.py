"""The orientation network on ONNX Runtime.

Inputs `body` (N, 128, 128, 3) and `head` (N, 112, 112, 3), float32 RGB in 0..255, the crops of
`phq.pose.orient.crop.orientation_region`; output `orientation` (N, 3, 56): what it says of both crops, of the body
crop with a black head crop, and of the head crop with a black body crop. The 56 numbers are those of
`phq.pose.orient.decode.decode`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from phq.photos.region import sample
from phq.pose.orient.crop import OrientationRegion
from phq.pose.orient.decode import mirror_outputs
from phq.system.arrays import Floats, Image
from phq.weights.devices import open_session

BODY_SIDE, HEAD_SIDE = 128, 112
BATCH = 8


class OrientationNet:
    """`run(jobs)` for (pixels, regions) jobs, each on the picture and on its mirror image."""

    def __init__(self) -> None:
        self.session = open_session("orientation")

    def run(self, jobs: list[tuple[Image, OrientationRegion]]) -> Floats:
        """(N, 2, 3, 56) outputs of picture and mirror image (mirrored back), of both crops, body alone, head alone.

        Args:
            jobs: H × W × 3 RGB photo and its `orientation_region`.
        """
        out: list[Floats] = [np.zeros((0, 2, 3, 56))]
        for start in range(0, len(jobs), BATCH):
            batch = jobs[start : start + BATCH]
            body = np.stack([sample(pixels, region.body, BODY_SIDE) for pixels, region in batch])
            head = np.stack([sample(pixels, region.head, HEAD_SIDE) for pixels, region in batch])
            out.append(both_ways(self.session, body, head))
        return np.concatenate(out)


def both_ways(session: Any, body: Image, head: Image) -> Floats:
    """(N, 2, 3, 56) for crops (N, 128, 128, 3) and (N, 112, 112, 3); see `OrientationNet.run`."""
    plain, mirrored = (_raw(session, body[:, :, ::way], head[:, :, ::way]) for way in (1, -1))
    return np.stack([plain, mirror_outputs(mirrored.reshape(-1, 56)).reshape(plain.shape)], 1)


def _raw(session: Any, body: Image, head: Image) -> Floats:
    inputs = {"body": body.astype(np.float32), "head": head.astype(np.float32)}
    (raw,) = session.run(["orientation"], inputs)
    return np.asarray(raw, np.float64)
