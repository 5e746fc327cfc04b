"""Trials of networks that take a square: face, identity and mask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phq.detect.backends.trial import MIRRORED, Trial, changed, shaped, square, within
from phq.detect.boxes import iou
from phq.detect.centerface import FACE_FOUND, CenterFace
from phq.people.person import Face
from phq.system.arrays import Floats, Image
from phq.system.linear import length, product

SIDE = 256
"""Side of the crops for masks."""
OTHER_MASK = 0.15
"""Mean difference of two masks from which they are two masks."""


class SquareTrial(Trial):
    """Squares have one size, so only mirroring is tried."""

    changes = (MIRRORED,)
    side = SIDE

    def shown(self, picture: Image) -> Image:
        return square(picture, self.side)

    def odd(self) -> dict[str, Image]:
        shown = ("black", "white", "noise")
        return {name: picture for name, picture in super().odd().items() if name in shown}


class FaceTrial(SquareTrial):
    """In fractions of the side that the network asks for."""

    def __init__(self, backend: Any) -> None:
        super().__init__(backend)
        self.side = backend.side

    def ask(self, picture: Image) -> Face:
        found = self.backend.detect(picture)
        if not isinstance(found, Face):
            raise TypeError(f"an answer is a {type(found).__name__}, not a phq.people.person.Face")
        return found

    def arrays(self, answer: Face) -> Sequence[Floats]:
        return np.array(answer.score), answer.box, answer.points

    def wrong(self, answer: Face) -> Iterator[str]:
        yield from shaped("score", answer.score, ())
        yield from shaped("box", answer.box, (4,))
        yield from shaped("points", answer.points, (5, 2))
        yield from within("score", answer.score)
        if answer.score > FACE_FOUND and np.abs(answer.box - 0.5).max() > 1.5:
            yield f"a box is far outside the picture, {answer.box}: fractions of the side are wanted"

    def alike(self, answer: Face, picture: Image, change: str) -> list[bool]:
        if answer.score <= FACE_FOUND:
            return []
        other = self.ask(changed(picture, change)).moved(np.array([[-1.0, 0, 1], [0, 1, 0]]))
        turned = other.box[[2, 1, 0, 3]]  # mirrored corners change places
        return [bool(iou(answer.box[None], turned[None])[0, 0] > 0.5)]


class IdentityTrial(SquareTrial):
    """On the face that the embedded detector finds in the square."""

    def __init__(self, backend: Any) -> None:
        super().__init__(backend)
        self.faces = CenterFace()
        self.side = self.faces.side

    def ask(self, picture: Image) -> Floats:
        face = self.faces.detect(picture).moved(np.array([[self.side, 0, 0], [0, self.side, 0]], float))
        return np.asarray(self.backend.embed(picture, face))

    def arrays(self, answer: Floats) -> Sequence[Floats]:
        return (answer,)

    def wrong(self, answer: Floats) -> Iterator[str]:
        yield from shaped("embedding", answer, (None,))
        if abs(length(answer) - 1) > 1e-3:
            yield f"an embedding has the length {float(length(answer)):.3g}, not 1"

    def alike(self, answer: Floats, picture: Image, change: str) -> list[bool]:
        if self.faces.detect(picture).score <= FACE_FOUND:
            return []
        return [float(product(answer, self.ask(changed(picture, change)))) >= self.backend.same]


class MaskTrial(SquareTrial):
    """With a hint that is an ellipse in the lower middle, where headshots have their person."""

    def ask(self, picture: Image) -> NDArray[np.float32]:
        hint = ellipse(self.side)
        found: NDArray[np.float32] = self.backend.segment(picture, hint)
        if not np.array_equal(hint, ellipse(self.side)):
            raise ValueError("writes to the hint")
        return found

    def arrays(self, answer: NDArray[np.float32]) -> Sequence[Floats]:
        return (answer,)

    def wrong(self, answer: NDArray[np.float32]) -> Iterator[str]:
        yield from shaped("mask", answer, (self.side, self.side))
        yield from within("mask", answer)
        if np.asarray(answer).dtype != np.float32:
            yield f"the mask is {np.asarray(answer).dtype}, not float32"

    def alike(self, answer: NDArray[np.float32], picture: Image, change: str) -> list[bool]:
        other = self.ask(changed(picture, change))[:, ::-1]
        return [bool(np.abs(answer - other).mean() < OTHER_MASK)]


def ellipse(side: int) -> NDArray[np.float32]:
    """Soft side × side mask."""
    y, x = (np.mgrid[:side, :side] + 0.5) / side
    return np.asarray(1 / (1 + np.exp(20 * (np.hypot((x - 0.5) / 0.3, (y - 0.65) / 0.45) - 1))), np.float32)
