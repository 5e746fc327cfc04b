"""The batches of a step: real pictures, and the cameras and coarse poses that fakes are made for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from phq.dataset.loader import Loader
from phq.dataset.reader import Dataset
from phq.errors import ConfigError
from phq.generator.train.config import Training
from phq.generator.train.mixture import SHARE, Mixture
from phq.generator.train.ranks import Ranks

LABELS = ("camera", "pose")


@dataclass(frozen=True)
class Real:
    """Real pictures of one part of a batch, on the device."""

    image: Tensor
    """(B, 3, R, R), −1 to 1."""
    mask: Tensor
    """(B, 1, R, R), 0 to 1."""
    camera: Tensor
    """(B, 25)"""
    coarse: Tensor
    """(B, 6) pose that the dataset states: looked at, never a target."""


@dataclass(frozen=True)
class Conditions:
    """What fakes of one part of a batch are made for, on the device."""

    numbers: range
    """Of the samples, counted over the whole run and all processes; each is the seed of its own noise."""
    camera: Tensor
    """(B, 25)"""
    coarse: Tensor
    """(B, 6) pose that the dataset states for that camera."""


class Stream:
    """Batches of a loader, epoch after epoch, always whole ones."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader
        self._epoch: Iterator[dict[str, Any]] = iter(())

    def take(self) -> dict[str, Any]:
        """The next batch."""
        while (batch := next(self._epoch, None)) is None:
            self._epoch = iter(self.loader)
        return batch

    def state(self) -> dict[str, int]:
        """Where it is, after the last batch that was taken."""
        return self.loader.state_dict()

    def restore(self, state: Mapping[str, int]) -> None:
        """Go on from there.

        Raises:
            InputError: the state is of other samples.
        """
        self._epoch = iter(())
        self.loader.load_state_dict(state)


class Feed:
    """Everything a run reads, by all processes together in one order.

    Raises:
        ConfigError: fewer samples than a batch.
    """

    def __init__(self, mixture: Mixture, training: Training, resolution: int, ranks: Ranks) -> None:
        entries = len(mixture) * (1 + training.mirror)
        if entries < training.batch:
            raise ConfigError(f"{mixture} gives {entries} pictures an epoch, less than a batch of {training.batch}")
        common: dict[str, Any] = {
            "mirror": training.mirror,
            "balance": SHARE if mixture.shares is not None else training.balance or None,
            "rank": ranks.rank,
            "world_size": ranks.world,
            "drop_last": True,
        }
        dataset, batch = cast(Dataset, mixture), training.batch // ranks.world
        fields = ("image", "mask", *LABELS)
        real = Loader(
            dataset, batch, seed=training.seed, size=resolution, workers=training.workers, fields=fields, **common
        )
        labels = Loader(dataset, batch, seed=training.seed + 1, size=resolution, fields=LABELS, **common)
        self.streams = {"real": Stream(real), "cameras": Stream(labels)}
        self._batch, self._part = batch, training.part
        self._first = ranks.rank * batch
        self._device = ranks.device

    def real(self) -> list[Real]:
        """The next real pictures, in parts."""
        batch = self.streams["real"].take()
        return [self._real(batch, rows) for rows in self._rows()]

    def conditions(self, count: int) -> list[Conditions]:
        """The next cameras, in parts, for the samples that begin with number `count`."""
        batch = self.streams["cameras"].take()
        return [self._wanted(batch, rows, count + self._first) for rows in self._rows()]

    def _rows(self) -> list[slice]:
        return [slice(start, start + self._part) for start in range(0, self._batch, self._part)]

    def _real(self, batch: dict[str, Any], rows: slice) -> Real:
        image, mask, camera, coarse = (
            sent(batch[name][rows], self._device).to(torch.float32) for name in ("image", "mask", *LABELS)
        )
        return Real((image / 127.5 - 1).contiguous(), mask[:, None] / 255, camera, coarse)

    def _wanted(self, batch: dict[str, Any], rows: slice, first: int) -> Conditions:
        camera, coarse = (sent(batch[name][rows], self._device) for name in LABELS)
        return Conditions(range(first + rows.start, first + rows.stop), camera, coarse)


def sent(values: Tensor, device: torch.device) -> Tensor:
    """On a device; to a GPU from pinned memory, without waiting for the copy. Bytes are sent as bytes."""
    if device.type != "cuda":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)
