"""RTMDet and RTMPose here against rtmlib, on the same networks and photos: the figures in docs/decisions/0011.

    pip install --no-deps rtmlib==0.0.16 && python benchmarks/rtmlib_agrees.py PHOTOS RTMDET.onnx RTMPOSE.onnx

Without real weights, tests/data/rtmdet-tiny.onnx and rtmpose-tiny.onnx do: the photos lose their colours, and coloured
marks are planted, which those networks find. Differences are in pixels of the network's input.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from rtmlib import RTMDet, RTMPose

from phq.detect.backends.rtmdet import RtmDet
from phq.detect.backends.rtmpose import RtmPose, region_of
from phq.detect.candidates import Candidates
from phq.system.arrays import Image

BLUE_FIRST = ((0, 0, 255), (0, 255, 0))
"""Red and green as OpenCV has them."""


def planted(path: Path, rng: np.random.Generator) -> tuple[Image, np.ndarray]:
    """The grey photo, blue first, with a red rectangle and a green one in it, and a box round both."""
    picture = cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), cv2.COLOR_GRAY2BGR)
    height, width = picture.shape[:2]
    x, y = int(rng.integers(0, width * 2 // 3)), int(rng.integers(0, height * 2 // 3))
    w, h = width // 5, height // 4
    cv2.rectangle(picture, (x, y), (x + w, y + h), BLUE_FIRST[0], -1)
    cv2.rectangle(picture, (x + w // 4, y + h // 4), (x + w // 3, y + h // 3), BLUE_FIRST[1], -1)
    return picture, np.array([x - 0.3 * w, y - 0.3 * h, x + 1.2 * w, y + 1.1 * h])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("rtmdet")
    parser.add_argument("rtmpose")
    options = parser.parse_args()
    detector, skeleton = RtmDet(options.rtmdet), RtmPose(options.rtmpose)
    height, width = skeleton.size
    theirs = RTMDet(options.rtmdet, detector.size, score_thr=0.15), RTMPose(options.rtmpose, (width, height))
    rng, boxes, places, scores = np.random.default_rng(0), [], [], []
    for path in sorted(options.photos.glob("*.*g")):
        picture, box = planted(path, rng)
        red_first = np.ascontiguousarray(picture[..., ::-1])
        scale = min(side / length for side, length in zip(detector.size, picture.shape[:2], strict=True))
        (found,) = detector.detect([red_first], 0.3, False)
        boxes.append(np.abs(theirs[0](picture)[0] - found.boxes[0]).max() * scale)
        keypoints, sure = theirs[1](red_first, [box])
        own = skeleton.find(red_first, Candidates.of(box, 0.9), (0.4, 0.5), False).keypoints[0]
        pixel = region_of(box, height, width).side / max(height, width)
        places.append(np.abs(keypoints[0, :2] + 0.5 - own[:2, :2]).max() / pixel)  # theirs are indices of pixels
        scores.append(np.abs(sure[0, :2] - own[:2, 2]).max())
    for name, off in (("boxes", boxes), ("keypoints", places), ("scores", scores)):
        print(f"{name}: median {np.median(off):.2f}, most {max(off):.2f} of {len(off)} photos")


if __name__ == "__main__":
    main()
