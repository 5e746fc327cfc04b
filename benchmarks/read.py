"""Reading a dataset beside webdataset, wids, Parquet and loose files: ratios within one run.

    python benchmarks/read.py [SAMPLES [ROUNDS]]

It cuts SAMPLES pictures of 512² out of the bundled photos, encodes them as phq does (JPEG 4:4:4, a one-channel PNG
mask), writes them as a phq dataset, as Parquet and as loose files into a temporary folder, and reads them again.
All of it has just been written and comes from the page cache: this measures programs, not disks.

Raw: the bytes of all members of every sample, in one process. wids comes twice: as its documentation opens it, which
parses the json and opens, but does not decode, the pictures; and told to give bytes.

Decoded: RGB images in batches of 32, made by two worker processes that are already running, for a loop that does
nothing with them; in a shuffled order, but for webdataset, which gets its best case, the order of the shards. All
decode with the same call of OpenCV, one thread a process. "Bare" is the speed limit: two processes decode the same
bytes, which they have in memory, and throw the pixels away.

The ways take turns in each of ROUNDS rounds, and the best round of each counts, as in `timeit`: what else a machine
does can only slow them down. Rates are of this machine and this moment; only the ratios mean anything.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import contextlib
import io
import multiprocessing
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import torch
import webdataset
import wids
from read_samples import ROWS_PER_GROUP, SIDE, write_forms
from torch.utils.data import DataLoader

from phq.dataset.loader import Loader
from phq.dataset.reader import Dataset
from phq.dataset.tar import MEMBERS

BATCH = 32
WORKERS = 2
PREFETCH = 4
"""Batches that each worker is ahead, in all loaders."""
Pass = Callable[[], int]
"""Reads samples and says how many."""
Members = Iterable[bytes]


class Phq:
    """phq.Dataset."""

    def __init__(self, folder: Path) -> None:
        self.dataset = Dataset(folder / "phq")

    def members(self, i: int) -> Members:
        item = self.dataset[i]
        return [item.read(name) for name in MEMBERS]

    def in_order(self) -> Iterator[Members]:
        return ([item.read(name) for name in MEMBERS] for item in self.dataset)


class Wids:
    """wids with every shard open at once, members as bytes."""

    def __init__(self, folder: Path, **how: Any) -> None:
        index = folder / "phq" / "train-index.json"
        options = {"cache_dir": str(folder / "phq" / "train"), "lru_size": 200, "transformations": [], **how}
        with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names for its own default
            self.samples = wids.ShardListDataset(str(index), **options)

    def members(self, i: int) -> Members:
        sample = self.samples[i]
        return [sample[f".{name}"].read() for name in MEMBERS]


class Web:
    """webdataset, undecoded."""

    def __init__(self, folder: Path) -> None:
        shards = sorted(str(path) for path in (folder / "phq" / "train").glob("*.tar"))
        self.pipeline = webdataset.WebDataset(shards, shardshuffle=False)

    def in_order(self) -> Iterator[Members]:
        return ([sample[name] for name in MEMBERS] for sample in self.pipeline)


class Parquet:
    """Pictures in columns; a row group is the least that can be read."""

    def __init__(self, folder: Path) -> None:
        self.file = pq.ParquetFile(folder / "samples.parquet", memory_map=True)

    def members(self, i: int) -> Members:
        group = self.file.read_row_group(i // ROWS_PER_GROUP, use_threads=False)
        return [group[name][i % ROWS_PER_GROUP].as_py() for name in MEMBERS]

    def in_order(self) -> Iterator[Members]:
        for batch in self.file.iter_batches(ROWS_PER_GROUP, use_threads=False):
            yield from zip(*(batch[name].to_pylist() for name in MEMBERS), strict=True)


class Loose:
    """Three files a sample, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.stems = [str(folder / "loose" / key) for key in Dataset(folder / "phq").keys]

    def members(self, i: int) -> Members:
        return [Path(f"{self.stems[i]}.{name}").read_bytes() for name in MEMBERS]


def counted(samples: Iterable[Members]) -> int:
    """Number of samples, every member of which has been looked at."""
    return sum(all(map(len, members)) for members in samples)


def raw_at_random(folder: Path, order: list[int]) -> dict[str, Pass]:
    readers = {"wids, bytes": Wids(folder), "phq.Dataset": Phq(folder), "loose files": Loose(folder)}
    passes = {name: lambda reader=reader: counted(map(reader.members, order)) for name, reader in readers.items()}
    images, groups, opened = Phq(folder).dataset, Parquet(folder), Wids(folder, transformations="PIL").samples
    few = order[: max(1, len(order) // ROWS_PER_GROUP)]
    return passes | {
        "wids": lambda: sum(len(opened[i]) > 0 for i in order),
        "phq.Dataset, images alone": lambda: counted([images.read(i)] for i in order),
        f"Parquet, row groups of {ROWS_PER_GROUP}": lambda: counted(map(groups.members, few)),
    }


def raw_in_order(folder: Path) -> dict[str, Pass]:
    readers = {"webdataset": Web(folder), "phq.Dataset": Phq(folder), "Parquet": Parquet(folder)}
    return {name: lambda reader=reader: counted(reader.in_order()) for name, reader in readers.items()}


def decoded_jpg(jpg: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(jpg, np.uint8), cv2.IMREAD_COLOR)


def decoded_png(png: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)


def colour(jpg: bytes) -> torch.Tensor:
    return torch.from_numpy(cv2.cvtColor(decoded_jpg(jpg), cv2.COLOR_BGR2RGB))


class Images:
    """Map-style dataset for a plain DataLoader."""

    def __init__(self, reader: Wids | Loose) -> None:
        self.reader = reader

    def __getitem__(self, i: int) -> torch.Tensor:
        jpg, *_ = self.reader.members(i)
        return colour(jpg)


def one_thread(_worker: int = 0) -> None:
    cv2.setNumThreads(0)  # see phq.dataset.loader.loader: 1 may wait for threads that a forked process has not got
    torch.set_num_threads(1)


def plain_loader(dataset: Any, **how: Any) -> Pass:
    options = {"num_workers": WORKERS, "prefetch_factor": PREFETCH, "persistent_workers": True, **how}
    loader = DataLoader(dataset, worker_init_fn=one_thread, **options)
    return lambda: sum(len(batch) for batch in loader)


def phq_loader(folder: Path, *fields: str) -> Pass:
    loader = Loader(Dataset(folder / "phq"), BATCH, workers=WORKERS, prefetch=PREFETCH, fields=fields)
    return lambda: sum(len(batch["image"]) for batch in loader)


HELD: list[tuple[bytes, bytes]] = []
"""Encoded images and masks that the processes of `bare` inherit."""


def decode_held(part: int, masks: bool) -> int:
    """Decode every `WORKERS`-th sample from `part` on."""
    for jpg, png in HELD[part::WORKERS]:
        decoded_jpg(jpg)
        if masks:
            decoded_png(png)
    return len(HELD[part::WORKERS])


def bare(stack: contextlib.ExitStack, masks: bool) -> Pass:
    context = multiprocessing.get_context("fork")
    pool = stack.enter_context(ProcessPoolExecutor(WORKERS, context, initializer=one_thread))
    return lambda: sum(pool.map(decode_held, range(WORKERS), [masks] * WORKERS))


def decoded_images(stack: contextlib.ExitStack, folder: Path, order: list[int]) -> dict[str, Pass]:
    shuffled = {"sampler": order, "batch_size": BATCH}
    web = Web(folder).pipeline.map(lambda sample: colour(sample["jpg"])).batched(BATCH, collation_fn=torch.stack)
    return {
        "bare JPEG decoding": bare(stack, masks=False),
        "phq.dataset.loader.Loader": phq_loader(folder, "image"),
        "wids, DataLoader": plain_loader(Images(Wids(folder)), **shuffled),
        "webdataset, DataLoader": plain_loader(web, batch_size=None),
        "loose files, DataLoader": plain_loader(Images(Loose(folder)), **shuffled),
    }


def decoded_with_masks(stack: contextlib.ExitStack, folder: Path) -> dict[str, Pass]:
    return {
        "bare JPEG and PNG decoding": bare(stack, masks=True),
        "phq.dataset.loader.Loader": phq_loader(folder, "image", "mask", "camera", "pose"),
    }


def rates(passes: dict[str, Pass], rounds: int) -> dict[str, list[float]]:
    """Samples a second in every round; a first one, which starts workers, does not count."""
    found: dict[str, list[float]] = {name: [] for name in passes}
    for name in [*passes] + [*passes] * rounds:
        start = time.perf_counter()
        samples = passes[name]()
        found[name].append(samples / (time.perf_counter() - start))
    return {name: series[1:] for name, series in found.items()}


def print_table(title: str, passes: dict[str, Pass], rounds: int, *references: str) -> None:
    """Rates, and the ratio to each of the references."""
    found = rates(passes, rounds)
    print("\n| " + " | ".join([title, "samples/s", *(f"× {name}" for name in references)]) + " |")
    print("|---|---:|" + "---:|" * len(references))
    for name, series in found.items():
        ratios = [f"{max(series) / max(found[reference]):.2f}" for reference in references]
        print("| " + " | ".join([name, f"{max(series):,.0f}", *ratios]) + " |", flush=True)


def main(number: int = 2048, rounds: int = 7) -> None:
    """Print the tables."""
    one_thread()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        write_forms(folder, number)
        HELD[:] = [(item.read("jpg"), item.read("mask.png")) for item in Dataset(folder / "phq")]
        order = np.random.default_rng(1).permutation(number).tolist()
        size = sum(len(jpg) for jpg, _ in HELD) / number / 1000
        print(f"{number} samples, images of {SIDE}² and {size:.0f} kB, {WORKERS} workers, page cache, {rounds} rounds")
        print_table("raw, at random", raw_at_random(folder, order), rounds, "wids", "wids, bytes")
        print_table("raw, in order", raw_in_order(folder), rounds, "webdataset")
        print_table("decoded: images", decoded_images(stack, folder, order), rounds, "bare JPEG decoding")
        passes = decoded_with_masks(stack, folder)
        print_table("decoded: images, masks, labels", passes, rounds, "bare JPEG and PNG decoding")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
