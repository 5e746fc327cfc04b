"""RTMPose and RTMW (Jiang et al. 2023, 2024): keypoints of the person in a box, by classification of x and of y.

The files of OpenMMLab, exported by MMDeploy, take 1 × 3 × 256 × 192 planes (or 384 × 288), red first, of the box and a
quarter more, and give for each keypoint a row of responses for x and one for y, two a pixel (SimCC, Li et al. 2022;
mmpose projects/rtmpose: ``SimCCLabel(simcc_split_ratio=2.0)``). The first 17 keypoints are COCO's in COCO's own 17, in
Halpe's 26 and in the 133 of COCO-WholeBody.
"""

from __future__ import annotations

import numpy as np

from phq.detect.backends.files import Family, expect_output, input_size
from phq.detect.boxes import Boxes
from phq.detect.candidates import Candidates
from phq.detect.fuse import LAST_RESORT
from phq.detect.imagenet import normalised
from phq.photos.region import Region, apply_affine, sample
from phq.system.arrays import Floats, Image
from phq.system.resources import Resources
from phq.weights.embedded import Weight

FAMILY = Family("rtmpose", ("rtmpose",), "rtmpose-m", "keypoints of the person in a box")
COCO = 17
PADDING = 1.25
"""What the network sees, in sides of the box."""
BINS = 2
"""Responses a pixel."""
SEEN = 0.2
"""Score from which a keypoint takes part in that of its person, as in MMPose's evaluation on COCO."""


def region_of(box: Boxes, height: int, width: int) -> Region:
    """The square round what the network sees of a box, which is cut to height × width."""
    scale = PADDING * max((box[2] - box[0]) / width, (box[3] - box[1]) / height)
    centre = (box[:2] + box[2:]) / 2
    return Region(float(centre[0]), float(centre[1]), max(float(scale), 1e-6) * max(height, width))


def decode(across: Floats, down: Floats) -> Floats:
    """Responses to keypoints.

    Args:
        across: (K, 2 × width).
        down: (K, 2 × height).

    Returns:
        (17, 3) x, y in pixels of the input (centres of pixels at halves), and score in 0..1.
    """
    places = np.stack([across.argmax(1), down.argmax(1)], 1) / BINS + 0.5
    scores = np.clip((across.max(1) + down.max(1)) / 2, 0, 1)
    return np.column_stack([places, scores])[:COCO].astype(np.float64)


class RtmPose:
    """`find(pixels, boxes, thresholds, tiles)` → `Candidates` with the detector's boxes.

    Such a network sees keypoints in any box, so it is not evidence for a box by itself: its score of a person is the
    mean of the keypoints it is sure of, times the box's score in units of the detector's threshold, at most 1.
    """

    name = "rtmpose"

    threshold = 0.5
    wants = Resources(memory=250 << 20)

    def __init__(self, weights: str = "") -> None:
        self.session = FAMILY.session(weights)
        self.size = input_size(self.session, None)
        for name, side in (("simcc_x", self.size[1]), ("simcc_y", self.size[0])):
            expect_output(self.session, name, BINS * side, "RTMPose by MMDeploy")

    @classmethod
    def weights(cls, weights: str = "") -> tuple[Weight, ...]:
        """A name in ``phq weights list`` that begins with rtmpose, or the path of an ONNX file."""
        return (FAMILY.weight(weights),)

    def find(self, pixels: Image, boxes: Candidates, thresholds: tuple[float, float], tiles: bool) -> Candidates:
        """See `phq.detect.backends.protocols.Skeleton`; boxes too weak to be believed are skipped."""
        looked = boxes.at(boxes.scores >= LAST_RESORT * thresholds[0])
        if not len(looked):
            return looked
        keypoints = np.array([self._look(pixels, box) for box in looked.boxes])
        scores = np.array([_mean_of_seen(k) for k in keypoints]) * np.minimum(looked.scores / thresholds[0], 1)
        found = Candidates.of(looked.boxes, scores, keypoints)
        return found.at(np.argsort(-scores, kind="stable"))

    def _look(self, pixels: Image, box: Boxes) -> Floats:
        height, width = self.size
        side = max(height, width)
        region, left, top = region_of(box, height, width), (side - width) // 2, (side - height) // 2
        seen = sample(pixels, region, side)[top : top + height, left : left + width]
        planes = normalised(np.ascontiguousarray(seen))
        across, down = self.session.run(["simcc_x", "simcc_y"], {self.session.get_inputs()[0].name: planes})
        keypoints = decode(across[0], down[0])
        keypoints[:, :2] = apply_affine(region.to_photo(side), keypoints[:, :2] + [left, top])
        return keypoints


def _mean_of_seen(keypoints: Floats) -> float:
    scores = keypoints[keypoints[:, 2] > SEEN, 2]
    return float(scores.mean()) if len(scores) else 0.0
