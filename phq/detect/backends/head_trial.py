"""Trial of networks that state how a head is turned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from phq.camera.convention import MIRROR
from phq.detect.backends.trial import MIRRORED, Trial, are_rotations, changed, near, shaped, within
from phq.detect.boxes import Boxes
from phq.detect.centerface import FACE_FOUND, CenterFace
from phq.people.person import HeadPose
from phq.photos.region import Region, sample
from phq.system.arrays import Floats, Image
from phq.system.linear import product

ALIKE_DEG = 30.0
"""Angle to the mirrored answer for the mirror image from which it is another answer."""


class HeadTrial(Trial):
    """On the face that the embedded network finds in the upper square; without one, on the middle of that square."""

    def __init__(self, backend: object) -> None:
        super().__init__(backend)
        self.faces = CenterFace()

    def ask(self, picture: Image) -> HeadPose:
        (found,) = self.backend.estimate([(picture, self._box(picture))])
        if not isinstance(found, HeadPose):
            raise TypeError(f"an answer is a {type(found).__name__}, not a phq.people.person.HeadPose")
        return found

    def arrays(self, answer: HeadPose) -> Sequence[Floats]:
        return answer.rotation, np.array(answer.sigma_deg), np.array(answer.p_flip)

    def wrong(self, answer: HeadPose) -> Iterator[str]:
        faults = list(shaped("rotation", answer.rotation, (3, 3)))
        yield from faults
        if not faults and not are_rotations(answer.rotation):
            yield "rotation is no rotation matrix"
        yield from shaped("sigma_deg", answer.sigma_deg, ())
        yield from within("p_flip", answer.p_flip)
        if not answer.sigma_deg > 0:
            yield "sigma_deg is not above 0"

    def alike(self, answer: HeadPose, picture: Image, change: str) -> list[bool]:
        if self._face(picture)[0] <= FACE_FOUND:
            return []
        other = self.ask(changed(picture, change)).rotation
        other = product(MIRROR, other, MIRROR) if change == MIRRORED else other
        return [near(answer.rotation, other, ALIKE_DEG)]

    def _face(self, picture: Image) -> tuple[float, Boxes]:
        edge = min(picture.shape[:2])
        region = Region(picture.shape[1] / 2, edge / 2, float(edge))
        face = self.faces.detect(sample(picture, region, self.faces.side)).moved(region.to_photo(1))
        return face.score, np.asarray(face.box)

    def _box(self, picture: Image) -> Boxes:
        """A face with the hair round it."""
        score, (x0, y0, x1, y1) = self._face(picture)
        if score <= FACE_FOUND:
            edge, middle = min(picture.shape[:2]), picture.shape[1] / 2
            return np.array([middle - edge / 3, 0.0, middle + edge / 3, 2 * edge / 3])
        width, height = x1 - x0, y1 - y0
        return np.array([x0 - 0.2 * width, y0 - 0.35 * height, x1 + 0.2 * width, y1 + 0.05 * height])
