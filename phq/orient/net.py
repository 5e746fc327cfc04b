"""The orientation network on ONNX Runtime."""

from __future__ import annotations

import numpy as np

from phq.keypoints.region import Region, sample
from phq.orient.decode import mirror_outputs
from phq.weights import open_session
from phq.work import Floats, Image

SIDE = 160
BATCH = 8


class OrientationNet:
    """`run(jobs)` for (pixels, region) jobs, each on the picture and on its mirror image."""

    def __init__(self) -> None:
        self.session = open_session("orientation")

    def run(self, jobs: list[tuple[Image, Region]]) -> Floats:
        """(N, 56) outputs, see `phq.orient.decode.decode`: the mean of the picture's and its mirror image's.

        Args:
            jobs: H × W × 3 RGB photo and its `orientation_region`.
        """
        out = [np.zeros((0, 56))]
        for start in range(0, len(jobs), BATCH):
            crops = np.stack([sample(pixels, region, SIDE) for pixels, region in jobs[start : start + BATCH]])
            out.append((self._raw(crops) + mirror_outputs(self._raw(crops[:, :, ::-1]))) / 2)
        return np.concatenate(out)

    def _raw(self, crops: Image) -> Floats:
        (raw,) = self.session.run(["orientation"], {"image": crops.astype(np.float32)})
        return np.asarray(raw, np.float64)
