"""Trial of networks that state a body."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from phq.camera.convention import MIRROR
from phq.camera.rotations import MIRRORED_JOINTS
from phq.detect.backends.trial import DOUBLED, MIRRORED, Trial, are_rotations, changed, near, shaped, within
from phq.detect.boxes import Boxes
from phq.detect.nanodet import NanoDet
from phq.people.person import BodyPose
from phq.system.arrays import Floats, Image
from phq.system.linear import product

ALIKE_DEG = 45.0
"""Angle to the mirrored torso in the mirror image from which it is another torso."""


class BodyTrial(Trial):
    """On the surest person that the embedded detector finds, or else on the whole picture."""

    def __init__(self, backend: object) -> None:
        super().__init__(backend)
        self.detector = NanoDet()

    def ask(self, picture: Image) -> BodyPose:
        return self._about(picture, self._box(picture)[0])

    def _about(self, picture: Image, box: Boxes) -> BodyPose:
        (found,) = self.backend.estimate([(picture, box)])
        if not isinstance(found, BodyPose):
            raise TypeError(f"an answer is a {type(found).__name__}, not a phq.people.person.BodyPose")
        return found

    def _box(self, picture: Image) -> tuple[Boxes, bool]:
        (boxes,) = self.detector.detect([picture], self.detector.threshold, False)
        sure = len(boxes) > 0 and bool(boxes.scores[0] >= self.detector.threshold)
        whole = np.array([0.0, 0.0, picture.shape[1], picture.shape[0]])
        return (boxes.boxes[0] if sure else whole), sure

    def arrays(self, answer: BodyPose) -> Sequence[Floats]:
        scalars = np.array([answer.px_per_metre, answer.sigma_deg, answer.p_flip])
        return answer.joints, answer.betas, answer.neck_px, scalars

    def wrong(self, answer: BodyPose) -> Iterator[str]:
        faults = list(shaped("joints", answer.joints, (24, 3, 3)))
        yield from faults
        if not faults and not are_rotations(answer.joints):
            yield "joints has matrices that are no rotations"
        yield from shaped("betas", answer.betas, (10,))
        yield from shaped("neck_px", answer.neck_px, (2,))
        yield from within("p_flip", answer.p_flip)
        for name in ("px_per_metre", "sigma_deg"):
            yield from shaped(name, getattr(answer, name), ())
            if not getattr(answer, name) > 0:
                yield f"{name} is not above 0"

    def alike(self, answer: BodyPose, picture: Image, change: str) -> list[bool]:
        box, sure = self._box(picture)
        if not sure:
            return []
        if change == DOUBLED:
            box = 2 * box
        if change == MIRRORED:
            box = np.array([picture.shape[1] - box[2], box[1], picture.shape[1] - box[0], box[3]])
        joints = self._about(changed(picture, change), box).joints
        other = product(MIRROR, joints[MIRRORED_JOINTS], MIRROR) if change == MIRRORED else joints
        return [near(answer.joints[0], other[0], ALIKE_DEG)]
