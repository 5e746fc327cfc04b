"""The task of a worker: read, decode, mirror and resize pictures into the memory of a batch."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor, empty, uint8

from phq.dataset.loader.buffers import NO_BUFFER, Buffers, Layout
from phq.dataset.reader import Dataset
from phq.errors import InputError
from phq.system.arrays import Image


class Order(NamedTuple):
    """One batch of a rank, as the main process sends it and gets it back."""

    samples: NDArray[np.int64]
    """(B,) numbers in the dataset."""
    mirrored: NDArray[np.bool_]
    """(B,) whether each is mirrored."""
    stop: int
    """Position in the epoch after this step, see `phq.dataset.loader.course.Course`."""
    buffer: int
    """Number of the buffer for the pictures; `NO_BUFFER` for memory of its own."""


class Pictures:
    """Map-style dataset of a torch DataLoader, indexed by `Order`.

    Args:
        dataset: of the samples.
        layout: what is decoded, and its side; pictures of another side are resized.
        buffers: memory for it.
    """

    def __init__(self, dataset: Dataset, layout: Layout, buffers: Buffers) -> None:
        self.dataset = dataset
        self.layout = layout
        self.buffers = buffers

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitems__(self, order: Order) -> tuple[Order, Tensor | InputError | None]:
        """Carry out an order; return it with its memory if that is not a buffer, or with an error.

        The error is returned, since torch would wrap a raised one in a report of its own.
        """
        own = empty(self.layout.size(len(order.samples)), dtype=uint8) if order.buffer == NO_BUFFER else None
        try:
            self._fill(self.buffers[order.buffer] if own is None else own, order)
        except InputError as error:
            return order, error
        return order, own

    def _fill(self, memory: Tensor, order: Order) -> None:
        images, masks = (part.numpy() for part in self.layout.split(memory, len(order.samples)))
        samples = list(zip(order.samples.tolist(), order.mirrored.tolist(), strict=True))
        for (number, mirrored), out in zip(samples, images, strict=False):
            _place_image(self._decoded(number, "jpg", cv2.IMREAD_COLOR), mirrored, out)
        for (number, mirrored), out in zip(samples, masks, strict=False):
            _place_mask(self._decoded(number, "mask.png", cv2.IMREAD_GRAYSCALE), mirrored, out)

    def _decoded(self, number: int, member: str, flags: int) -> Image:
        """Pixels of a picture at the right size, colours in OpenCV's order."""
        content = np.frombuffer(self.dataset.read(number, member), np.uint8)
        pixels: Image | None = cv2.imdecode(content, flags | cv2.IMREAD_IGNORE_ORIENTATION)
        if pixels is None:
            raise InputError(f"the {member} of sample {self.dataset[number].key} is not a picture that can be decoded")
        side = self.layout.side
        if pixels.shape[:2] == (side, side):
            return pixels
        method = cv2.INTER_AREA if side < len(pixels) else cv2.INTER_LANCZOS4
        return np.asarray(cv2.resize(pixels, (side, side), interpolation=method))


def _place_image(bgr: Image, mirrored: bool, out: Image) -> None:
    if mirrored:  # a row of bytes backwards is the row mirrored, and its blue, green, red become red, green, blue
        cv2.flip(bgr.reshape(len(bgr), -1), 1, dst=out.reshape(len(out), -1))
    else:
        cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=out)


def _place_mask(mask: Image, mirrored: bool, out: Image) -> None:
    if mirrored:
        cv2.flip(mask, 1, dst=out)
    else:
        out[...] = mask
