"""How a back end of one slot is called, and what its answer must look like."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np

from phq.system.arrays import Floats, Image
from phq.system.linear import product

MIRRORED, DOUBLED = "mirrored", "at twice the size"


class Trial(ABC):
    """The steps of `phq.detect.backends.conformance` with a back end; one subclass a slot."""

    changes: tuple[str, ...] = (MIRRORED, DOUBLED)

    def __init__(self, backend: Any) -> None:
        self.backend = backend

    def shown(self, picture: Image) -> Image:
        """What the back end is shown of a picture, as an array of its own."""
        return picture.copy()

    @abstractmethod
    def ask(self, picture: Image) -> Any:
        """The back end's answer for what is shown."""

    @abstractmethod
    def arrays(self, answer: Any) -> Sequence[Floats]:
        """Everything in an answer."""

    @abstractmethod
    def wrong(self, answer: Any) -> Iterator[str]:
        """Sentences about an answer that is not as the protocol has it."""

    @abstractmethod
    def alike(self, answer: Any, picture: Image, change: str) -> list[bool]:
        """For each detection in an answer, whether it is in the changed picture too."""

    def odd(self) -> dict[str, Image]:
        """Degenerate pictures by name."""
        rng = np.random.default_rng(0)
        return {
            "one pixel": np.full((1, 1, 3), 90, np.uint8),
            "a row of pixels": rng.integers(0, 256, (1, 900, 3), np.uint8),
            "a column of pixels": rng.integers(0, 256, (900, 1, 3), np.uint8),
            "black": np.zeros((300, 200, 3), np.uint8),
            "white": np.full((200, 300, 3), 255, np.uint8),
            "noise": rng.integers(0, 256, (240, 240, 3), np.uint8),
            "huge and empty": np.full((2700, 4000, 3), 128, np.uint8),
        }


def changed(picture: Image, change: str) -> Image:
    """The mirror image, or the picture at twice its size."""
    if change == MIRRORED:
        return np.ascontiguousarray(picture[:, ::-1])
    return np.asarray(cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC), np.uint8)


def square(picture: Image, side: int) -> Image:
    """The largest square of the upper middle, side × side."""
    height, width = picture.shape[:2]
    edge, left = min(height, width), max(0, (width - height) // 2)
    return np.asarray(cv2.resize(picture[:edge, left : left + edge], (side, side), interpolation=cv2.INTER_AREA))


def are_rotations(matrices: Floats) -> bool:
    """Whether (…, 3, 3) are orthogonal, to 1e-3, and do not mirror."""
    squares = product(matrices, np.swapaxes(matrices, -1, -2))
    upright = (np.cross(matrices[..., 0, :], matrices[..., 1, :]) * matrices[..., 2, :]).sum(-1)
    return not (np.abs(squares - np.eye(3)).max() > 1e-3 or upright.min() < 0)


def near(one: Floats, other: Floats, degrees: float) -> bool:
    """Whether two rotations (3, 3) are less than so far apart."""
    cosine = (np.trace(product(one.T, other)) - 1) / 2
    return bool(cosine > np.cos(np.radians(degrees)))


def shaped(name: str, array: Any, shape: tuple[int | None, ...]) -> Iterator[str]:
    """A complaint if it is not an array of that shape (None: any length) with finite numbers."""
    found = np.shape(array)
    if len(found) != len(shape) or any(want not in (None, have) for want, have in zip(shape, found, strict=True)):
        wanted = " × ".join("N" if n is None else str(n) for n in shape)
        yield f"{name} has the shape {found}, not {wanted or 'a number'}"
    elif not np.isfinite(np.asarray(array, float)).all():
        yield f"{name} is not finite"


def within(name: str, array: Any) -> Iterator[str]:
    """A complaint if a value is outside 0..1."""
    values = np.asarray(array, float)
    if values.size and not (values.min() >= 0 and values.max() <= 1):
        yield f"{name} is not within 0..1 ({values.min():.3g} to {values.max():.3g})"
