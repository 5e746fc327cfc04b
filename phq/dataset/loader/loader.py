"""`Loader`: batches of a dataset for training, by any number of ranks and workers, resumable after every batch."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.compute as pc
import torch
from torch import Tensor, distributed
from torch.utils.data import DataLoader

from phq.dataset.loader.balance import balance_weights
from phq.dataset.loader.buffers import Buffers, Layout
from phq.dataset.loader.course import Course
from phq.dataset.loader.labels import LABELS, Labels
from phq.dataset.loader.order import Deal
from phq.dataset.loader.pictures import Order, Pictures
from phq.dataset.reader import Dataset
from phq.errors import ConfigError, InputError

Batch = dict[str, Any]
Done = tuple[Order, Tensor | InputError | None]
Running = tuple[Iterable[Done], Buffers]
PICTURES = ("image", "mask")
FIELDS = (*PICTURES, "camera", "pose")
_KEPT = 3
"""Batches that a loop may look at while the next one comes: its own, the next, and one it remembers."""


class Loader:
    """Batches of a dataset in a shuffled order that seed and epoch fix; docs/read.md shows its use.

    A batch is a dict with what `fields` names:

    * ``image``: uint8, B × 3 × H × W, RGB, in channels-last memory; ``mask``: uint8, B × H × W, 0 to 255.
    * ``camera``: float32, B × 25: cam2world (16, row-major) and normalised intrinsics (9).
    * ``pose``: float32, B × 6: axis-angle of neck and head; ``smpl_pose``: float32, B × 72, of SMPL's 24 joints.

    and always ``key`` (list of str), ``index`` (int64, B, number in the dataset) and ``mirrored`` (bool, B).

    An iteration gives what is left of one epoch, the next iteration the next epoch. All ranks together go through one
    global order: a step takes its next ``world_size · batch_size`` entries and deals them out, a run to each rank, so
    that the batches of the ranks one after the other are the order itself, and every entry comes once. A last step
    that is short is shared out evenly (or left out, with `drop_last`); see `phq.dataset.loader.order.Deal.steps`.

    Args:
        dataset: open, or its folder or URL; of pictures of one side, or give `size`.
        batch_size: samples a batch and rank.
        seed: of the order, 0 to 2⁶³ − 1.
        rank: of this process; by default that of torch.distributed if it is initialised, else 0.
        world_size: number of ranks; by default that of torch.distributed if it is initialised, else 1.
        workers: processes that read and decode; 0 does it in this one. The batches are the same.
        mirror: an epoch has every sample twice, as it is and as its mirror image, with the label of that.
        balance: ``yaw`` draws from all directions equally often, the name of a column in proportion to it. An epoch
            has as many entries as without, but a sample comes as often as its weight says, up to the next whole
            number or down: several times or not at all.
        size: side of the pictures, pixels; by default as they are stored.
        drop_last: leave out the last step of an epoch if it is short.
        fields: what a batch holds; ``smpl_pose`` is there to be asked for. Without image and mask nothing is decoded.
        prefetch: batches that each worker is ahead.
        multiprocessing_context: how workers start (fork, spawn, forkserver), as for torch's DataLoader.

    Raises:
        ConfigError: an argument out of range.
        InputError: an empty dataset, samples without pictures, pictures of several sides and no `size`.
    """

    def __init__(  # noqa: PLR0913 - what a DataLoader is asked for
        self,
        dataset: Dataset | str | Path,
        batch_size: int,
        *,
        seed: int = 0,
        rank: int | None = None,
        world_size: int | None = None,
        workers: int = 0,
        mirror: bool = False,
        balance: str | None = None,
        size: int | None = None,
        drop_last: bool = False,
        fields: Sequence[str] = FIELDS,
        prefetch: int = 2,
        multiprocessing_context: str | None = None,
    ) -> None:
        _check(1, batch_size=batch_size, prefetch=prefetch, size=1 if size is None else size)
        _check(0, workers=workers, seed=seed)
        if unknown := [name for name in fields if name not in (*PICTURES, *LABELS)]:
            raise ConfigError(f"no field {', '.join(unknown)}; there are: {', '.join((*PICTURES, *LABELS))}")
        dataset = Dataset(dataset) if isinstance(dataset, (str, PathLike)) else dataset
        self.dataset = dataset
        self.layout = Layout(_side(dataset, size), "image" in fields, "mask" in fields)
        self._keys = np.array(dataset.keys, "S16")
        self._labels = Labels(dataset, tuple(name for name in LABELS if name in fields))
        weights = balance_weights(dataset, balance, mirror) if balance else None
        deal = Deal(batch_size, *_place(rank, world_size), drop_last)
        self._course = Course(self._keys, 1 + mirror, weights, seed, deal)
        if not self._course.entries // (batch_size * deal.world_size if drop_last else 1):
            raise ConfigError(f"drop_last leaves nothing of an epoch of {self._course.entries} entries")
        self._workers, self._prefetch, self._context = workers, prefetch, multiprocessing_context
        self._running: Running | None = None
        self._loops = 0

    @property
    def epoch(self) -> int:
        """Number of the current epoch, from 0."""
        return self._course.epoch

    def __len__(self) -> int:
        """Number of batches left for this rank in the epoch."""
        return len(self._course)

    def state_dict(self) -> dict[str, int]:
        """Position of all ranks after the last batch that was returned; the same on each of them.

        Batches that workers have prepared in advance do not count.
        """
        return self._course.state()

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Resume after the last batch that was returned when `state` was taken; the seed is that of the state.

        Numbers of workers and ranks and the batch size may differ: all ranks together get the same remaining samples
        in the same order. Only where `drop_last` cuts the epoch off depends on the size of a step.

        Raises:
            InputError: it is not a state, or one of other samples, mirroring or weights.
        """
        self._course.restore(state)
        self._running = None
        self._loops += 1

    def __iter__(self) -> Iterator[Batch]:
        """Batches of the rest of the epoch; one loop at a time, as all share one position.

        Raises:
            RuntimeError: another loop was begun since, or a state was loaded.
            InputError: a shard cannot be read or a picture cannot be decoded; the message names it.
        """
        self._loops += 1
        loop, running, self._running = self._loops, self._running or self._start(), None
        try:
            for order, own in running[0]:
                if isinstance(own, InputError):
                    raise own
                self._course.position = order.stop
                yield self._batch(order, running[1].lend(order.buffer) if own is None else own)
                if loop != self._loops:
                    raise RuntimeError("this loop over the Loader cannot go on: another was begun, or a state loaded")
            self._course.next_epoch()
            self._running = running  # only now: the workers of an abandoned loop are ahead
        finally:
            del running  # a traceback may keep this frame, and waiting workers with it

    def _start(self) -> Running:
        ahead = self._workers * self._prefetch
        size = self.layout.size(self._course.deal.batch_size)
        buffers = Buffers(ahead + _KEPT, size, shared=self._workers > 0)
        loader: DataLoader[Any] = DataLoader(
            Pictures(self.dataset, self.layout, buffers),  # type: ignore[arg-type]
            batch_sampler=_Orders(self._course, len(self.dataset), buffers),  # type: ignore[arg-type]
            num_workers=self._workers,
            collate_fn=_as_it_is,  # type: ignore[arg-type]
            worker_init_fn=_start_worker,
            multiprocessing_context=self._context if self._workers else None,
            generator=torch.Generator(),  # else each epoch would draw from torch's global generator
            prefetch_factor=self._prefetch if self._workers else None,
            persistent_workers=self._workers > 0,
        )
        return loader, buffers

    def _batch(self, order: Order, memory: Tensor) -> Batch:
        images, masks = self.layout.split(memory, len(order.samples))
        batch: Batch = {"key": [key.decode() for key in self._keys[order.samples].tolist()]}
        if self.layout.image:
            batch["image"] = images.permute(0, 3, 1, 2)
        if self.layout.mask:
            batch["mask"] = masks
        labels = self._labels.batch(order.samples, order.mirrored)
        arrays = {**labels, "index": order.samples, "mirrored": order.mirrored}
        return batch | {name: torch.from_numpy(array) for name, array in arrays.items()}


class _Orders:
    """Batch sampler: the rest of the epoch, with a buffer for each batch while there are free ones."""

    def __init__(self, course: Course, samples: int, buffers: Buffers) -> None:
        self.course = course
        self.copies = course.entries // samples
        self.buffers = buffers

    def __iter__(self) -> Iterator[Order]:
        for entries, stop in self.course.rest():
            yield Order(entries // self.copies, entries % self.copies == 1, stop, self.buffers.take())


def _as_it_is(done: Done) -> Done:
    return done


def _start_worker(_worker: int) -> None:
    cv2.setNumThreads(0)  # 1 would wait for the end of threads that a forked process has not got
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process, and the parent ends its workers


def _check(least: int, **values: int) -> None:
    for name, value in values.items():
        if not isinstance(value, (int, np.integer)) or not least <= value < 2**63:
            raise ConfigError(f"{name}={value!r}: expected a whole number, at least {least} and less than 2**63")


def _place(rank: int | None, world_size: int | None) -> tuple[int, int]:
    running = distributed.is_available() and distributed.is_initialized()
    if rank is None:
        rank = distributed.get_rank() if running else 0
    if world_size is None:
        world_size = distributed.get_world_size() if running else 1
    _check(1, world_size=world_size)
    if not 0 <= rank < world_size:
        raise ConfigError(f"rank={rank}: expected 0 to {world_size - 1}, world_size being {world_size}")
    return rank, world_size


def _side(dataset: Dataset, size: int | None) -> int:
    """Side of the pictures of a batch, after checking that every sample has a picture."""
    if not len(dataset):
        raise InputError(f"{dataset} holds no samples")
    table = dataset.columns(["jpg_size", "image_size"])
    if bare := pc.sum(pc.equal(table["jpg_size"].fill_null(0), 0)).as_py():
        raise InputError(
            f"{bare} of the {len(dataset)} samples are rejects and have no pictures: open the dataset without rejects"
        )
    sides = sorted(pc.unique(table["image_size"]).to_pylist())
    if size is None and len(sides) > 1:
        raise InputError(f"the pictures have sides from {sides[0]} to {sides[-1]} pixels; choose one size for all")
    return size or int(sides[0])
