"""RF-DETR (Robinson et al. 2025) as a person detector: a transformer on DINOv2, stronger and slower than NanoDet.

The files are those of huggingface.co/onnx-community/rfdetr_*, or what RF-DETR's own ``export`` writes. Both take
1 × 3 × side × side planes, normalised as ImageNet's, of the photo stretched to a square, and give for each of 300
queries a box as centre, width and height in fractions of the photo, and a logit a class, each class for itself
(sigmoid, no softmax).
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from phq.detect.backends.files import MAX_IOU, Family, TiledDetector, expect_output, input_size
from phq.detect.boxes import Boxes
from phq.detect.candidates import Candidates
from phq.detect.imagenet import normalised, resized
from phq.system.arrays import Image
from phq.system.resources import Resources

FAMILY = Family("rfdetr", ("rfdetr",), "rfdetr-small", "person boxes")
SIDES = {"": 512, "rfdetr-nano": 384, "rfdetr-small": 512}
"""Sides of the published networks, if a file does not state its own."""
OUTPUTS = (("pred_boxes", "logits"), ("dets", "labels"))
"""As onnx-community calls boxes and logits, and as RF-DETR's own export does."""
COCO_IDS = 91
"""Logits of a network that was trained on COCO. They go by COCO's ids, where 1 is the person and 0 unused
(``id2label`` in config.json beside the weights); a network trained on other classes counts from 0."""
WEAK = 0.2
"""Score from which a box is kept in mind."""


def decode(boxes: Boxes, logits: Boxes, width: int, height: int) -> Candidates:
    """Output of the network to people in pixels, best first.

    Args:
        boxes: (Q, 4) centre x, y, width, height in 0..1.
        logits: (Q, classes).
        width, height: of the photo.
    """
    scores = expit(logits[:, 1 if logits.shape[1] == COCO_IDS else 0].astype(np.float64))
    keep = scores > WEAK
    centre, half = boxes[keep, :2].astype(np.float64), boxes[keep, 2:].astype(np.float64) / 2
    corners = np.concatenate([centre - half, centre + half], 1) * [width, height, width, height]
    return Candidates.of(corners, scores[keep]).distinct(MAX_IOU)


class RfDetr(TiledDetector):
    """`detect(pictures, threshold, tiles)` → `Candidates` from `WEAK` up."""

    name = "rfdetr"
    family = FAMILY

    threshold = 0.5
    """That of RF-DETR's own `predict`."""
    wants = Resources(memory=450 << 20)
    """At 512²: the weights, and as much again for the layers."""

    def __init__(self, weights: str = "") -> None:
        self.session = FAMILY.session(weights)
        self.size = input_size(self.session, SIDES.get(weights))
        self.outputs = OUTPUTS[any(output.name == "dets" for output in self.session.get_outputs())]
        expect_output(self.session, self.outputs[0], 4, "RF-DETR")

    def _look(self, pixels: Image) -> Candidates:
        height, width = self.size
        planes = normalised(resized(pixels, width, height))
        boxes, logits = self.session.run(self.outputs, {self.session.get_inputs()[0].name: planes})
        return decode(boxes[0], logits[0], pixels.shape[1], pixels.shape[0])
