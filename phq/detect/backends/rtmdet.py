"""RTMDet (Lyu et al. 2022) as a person detector: the files of OpenMMLab's RTMPose, exported by MMDeploy.

They take 1 × 3 × side × side planes, *blue first*, of the photo with its long side at `side`, grey (114) right and
below, and give boxes in pixels of that square with a score, and a class, suppressed and sorted already
(mmdetection configs/rtmdet, mmpose projects/rtmpose/rtmdet/person).
"""

from __future__ import annotations

import numpy as np

from phq.detect.backends.files import MAX_IOU, Family, TiledDetector, expect_output, input_size
from phq.detect.boxes import Boxes
from phq.detect.candidates import Candidates
from phq.detect.imagenet import normalised, resized
from phq.system.arrays import Image
from phq.system.resources import Resources

FAMILY = Family("rtmdet", ("rtmdet",), "", "person boxes")
SIDE = 640
"""Pixels, if a file does not state its own."""
GREY = 114
PERSON = 0
"""Class of a person: the only one of these files, the first of COCO's 80."""
WEAK = 0.15
"""Score from which a box is kept in mind."""


def to_input(pixels: Image, height: int, width: int) -> tuple[Image, float]:
    """The photo in the upper left of a grey height × width × 3 picture, and the scale at which it is shown there."""
    scale = min(height / pixels.shape[0], width / pixels.shape[1])
    small = resized(pixels, *(max(1, round(side * scale)) for side in pixels.shape[1::-1]))
    canvas = np.full((height, width, 3), GREY, np.uint8)
    canvas[: small.shape[0], : small.shape[1]] = small
    return canvas, scale


def decode(dets: Boxes, labels: Boxes, scale: float) -> Candidates:
    """Output of the network to people in pixels of the photo, best first.

    Args:
        dets: (N, 5) x0, y0, x1, y1 in pixels of the input, score.
        labels: (N,) classes.
    """
    seen = dets[(labels == PERSON) & (dets[:, 4] > WEAK)].astype(np.float64)
    return Candidates.of(seen[:, :4] / scale, seen[:, 4]).distinct(MAX_IOU)


class RtmDet(TiledDetector):
    """`detect(pictures, threshold, tiles)` → `Candidates` from `WEAK` up."""

    name = "rtmdet"
    family = FAMILY

    threshold = 0.3
    """That of MMPose's top-down demo."""
    wants = Resources(memory=500 << 20)

    def __init__(self, weights: str = "") -> None:
        self.session = FAMILY.session(weights)
        self.size = input_size(self.session, SIDE)
        expect_output(self.session, "dets", 5, "RTMDet by MMDeploy")

    def _look(self, pixels: Image) -> Candidates:
        canvas, scale = to_input(pixels, *self.size)
        blue_first = np.ascontiguousarray(normalised(canvas)[:, ::-1])
        dets, labels = self.session.run(["dets", "labels"], {self.session.get_inputs()[0].name: blue_first})
        return decode(dets[0], labels[0], scale)
