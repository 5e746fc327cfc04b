"""What a folder of photos costs here and in what people would use instead: processor time of whole processes.

    python benchmarks/peers.py PHOTOS --img2dataset BIN/img2dataset [--samples 400] [--python streaming=BIN/python]
        [--python ultralytics=BIN/python]

Building: ``phq build``; a naive script of the same networks (`naive.py`); img2dataset, which decodes, resizes to the
same side and writes WebDataset shards: what a dataset costs without any network; and a loop of ultralytics' YOLO11
detector and pose network with random weights, which take the time of trained ones, and nothing else. img2dataset is a
program of its own environment and gets the photos as ``file:`` URLs. rtmlib fetches its networks when it starts.

Reading the same samples in one process, with imports and opening: the bytes of all members, at random and in order; the
pictures decoded, in order, by the same call of OpenCV; batches of 32 decoded pictures by torch's DataLoader without
workers, shuffled where the reader can. By `phq.Dataset`, wids, webdataset, Hugging Face's ``datasets`` (Parquet),
litdata and MosaicML's ``streaming``; those that are not installed are left out. One that wants other versions than phq
is run by the Python of its own environment (``--python PACKAGE=PYTHON``, which also needs typer, torch and OpenCV).
What a reader makes of the samples before it can read them is a column of its own.

Each is read from the page cache, and once after the kernel was asked to drop the files from it, which shows in the wall
time. Every figure includes the processes that were started. Only ratios within one run mean anything.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

ROOT = Path(__file__).parents[1]
SIDE = 512
PICTURES = (".jpg", ".jpeg", ".png")
MEMBERS = ("jpg", "json", "mask.png")
BATCH = 32
LOOP = "loop"
Members = Iterable[bytes]
ByNumber = Callable[[int], Members]


@dataclass(frozen=True)
class Spent:
    """Seconds of a command and all that it starts."""

    processor: float
    wall: float


def spent(*command: str) -> Spent:
    """Run it."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Spent(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall)


def img2dataset(program: str, photos: Path, work: Path) -> list[str]:
    """Its command line for local photos, one process, one thread."""
    urls = work / "urls.txt"
    urls.write_text("\n".join(p.as_uri() for p in sorted(photos.rglob("*")) if p.suffix.lower() in PICTURES))
    how = {"image_size": SIDE, "resize_mode": "keep_ratio", "output_format": "webdataset", "processes_count": 1}
    how |= {"thread_count": 1, "encode_quality": 95, "url_list": urls, "output_folder": work / "img2dataset"}
    return [program, *(f"--{name}={value}" for name, value in how.items())]


def ultralytics_loop(photos: Path) -> None:
    """Both networks on every photo, one thread; nothing is cropped or written."""
    import torch
    from ultralytics import YOLO

    torch.set_num_threads(1)
    networks = [YOLO(f"yolo11n{task}.yaml") for task in ("", "-pose")]
    for path in sorted(photos.rglob("*")):
        if path.suffix.lower() in PICTURES:
            for network in networks:
                network.predict(path, device="cpu", verbose=False)


def building(photos: Path, program: str, pythons: dict[str, str]) -> dict[str, float]:
    """Processor seconds by way."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        build = [sys.executable, "cli.py", "build", str(photos), str(work / "phq"), "--workers", "1"]
        naive = [sys.executable, "benchmarks/naive.py", str(photos), str(work / "naive")]
        ways = {
            "phq build": [*build, "--preset", "everything", "--size", str(SIDE)],
            "naive script, the same networks": naive,
        }
        if program:
            ways["img2dataset: decode, resize, shards"] = img2dataset(program, photos, work)
        if python := pythons.get("ultralytics"):
            ways["ultralytics, detector and pose"] = [python, __file__, str(photos), "--task", LOOP]
        return {way: spent(*command).processor for way, command in ways.items()}


def by_phq(folder: Path) -> tuple[int, ByNumber]:
    from phq import Dataset

    samples = Dataset(folder / "phq")
    return len(samples), lambda i: [samples.read(i, name) for name in MEMBERS]


def by_wids(folder: Path) -> tuple[int, ByNumber]:
    import wids

    index, cache = folder / "phq" / "train-index.json", folder / "phq" / "train"
    samples = wids.ShardListDataset(str(index), cache_dir=str(cache), lru_size=200, transformations=[])
    return len(samples), lambda i: [samples[i][f".{name}"].read() for name in MEMBERS]


def by_datasets(folder: Path) -> tuple[int, ByNumber]:
    import datasets

    rows = datasets.Dataset.from_parquet(str(folder / "samples.parquet"), cache_dir=str(folder / "cache"))
    return len(rows), lambda i: _members(rows[i])


def by_litdata(folder: Path) -> tuple[int, ByNumber]:
    import litdata

    samples = litdata.StreamingDataset(str(folder / "litdata"))
    return len(samples), lambda i: _members(samples[i])


def by_streaming(folder: Path) -> tuple[int, ByNumber]:
    samples = _streaming(folder)
    return len(samples), lambda i: _members(samples[i])


def streaming_in_order(folder: Path) -> Iterator[Members]:
    return map(_members, _streaming(folder))


def _streaming(folder: Path) -> Any:
    from streaming import StreamingDataset

    return StreamingDataset(local=str(folder / "streaming"), shuffle=False, batch_size=BATCH)


def _members(row: dict[str, Any]) -> Members:
    return [row[name] for name in MEMBERS]


def webdataset_in_order(folder: Path) -> Iterator[Members]:
    import webdataset

    shards = sorted(str(path) for path in (folder / "phq" / "train").glob("*.tar"))
    return ([s[name] for name in MEMBERS] for s in webdataset.WebDataset(shards, shardshuffle=False))


def litdata_in_order(folder: Path) -> Iterator[Members]:
    import litdata

    return map(_members, litdata.StreamingDataset(str(folder / "litdata")))


def to_litdata(folder: Path) -> None:
    """Its optimised format, by one process of its own."""
    import litdata

    litdata.optimize(_row, _numbered(folder), str(folder / "litdata"), num_workers=1, chunk_bytes="64MB")


def to_streaming(folder: Path) -> None:
    """Its shards of 64 MB, uncompressed as the others'."""
    from streaming import MDSWriter

    with MDSWriter(out=str(folder / "streaming"), columns=dict.fromkeys(MEMBERS, "bytes")) as writer:
        for job in _numbered(folder):
            writer.write(_row(job))


def to_datasets(folder: Path) -> None:
    """What ``datasets`` makes of the Parquet file when it is first opened."""
    by_datasets(folder)


def _numbered(folder: Path) -> list[tuple[str, str]]:
    return [(str(folder / "loose"), path.stem) for path in sorted((folder / "loose").glob("*.jpg"))]


def _row(job: tuple[str, str]) -> dict[str, bytes]:
    return {name: Path(job[0], f"{job[1]}.{name}").read_bytes() for name in MEMBERS}


@dataclass(frozen=True)
class Reader:
    """A way to read."""

    package: str
    by_number: Callable[[Path], tuple[int, ByNumber]] | None = None
    in_order: Callable[[Path], Iterator[Members]] | None = None
    """If it has a way of its own."""
    converted: Callable[[Path], None] | None = None
    """Makes its own form of the samples."""

    def ordered(self, folder: Path) -> Iterator[Members]:
        """All samples."""
        if self.in_order is not None:
            return self.in_order(folder)
        assert self.by_number is not None
        count, members = self.by_number(folder)
        return map(members, range(count))


READERS = {
    "phq.Dataset": Reader("phq", by_phq),
    "wids": Reader("wids", by_wids),
    "webdataset": Reader("webdataset", in_order=webdataset_in_order),
    "datasets, Parquet": Reader("datasets", by_datasets, converted=to_datasets),
    "litdata, optimised": Reader("litdata", by_litdata, litdata_in_order, to_litdata),
    "streaming, MDS": Reader("streaming", by_streaming, streaming_in_order, to_streaming),
}


def convert(reader: Reader, folder: Path) -> None:
    if reader.converted is not None:
        reader.converted(folder)


def read_at_random(reader: Reader, folder: Path) -> None:
    assert reader.by_number is not None
    count, members = reader.by_number(folder)
    assert sum(all(map(len, members(i))) for i in np.random.default_rng(1).permutation(count).tolist()) == count


def read_in_order(reader: Reader, folder: Path) -> None:
    assert sum(all(map(len, members)) for members in reader.ordered(folder)) > 0


def read_decoded(reader: Reader, folder: Path) -> None:
    assert all(_decoded(next(iter(members))).shape == (SIDE, SIDE, 3) for members in reader.ordered(folder))


def read_batches(reader: Reader, folder: Path) -> None:
    from torch.utils.data import DataLoader, Dataset, IterableDataset

    class Numbered(Dataset[Any]):
        count, members = reader.by_number(folder) if reader.by_number else (0, lambda _: ())

        def __len__(self) -> int:
            return self.count

        def __getitem__(self, i: int) -> Any:
            return _decoded(next(iter(type(self).members(i))))

    class Ordered(IterableDataset[Any]):
        def __iter__(self) -> Iterator[Any]:
            return (_decoded(next(iter(members))) for members in reader.ordered(folder))

    by_number = reader.by_number is not None
    loader: DataLoader[Any] = DataLoader(Numbered() if by_number else Ordered(), BATCH, shuffle=by_number)
    assert all(batch.shape[1:] == (SIDE, SIDE, 3) for batch in loader)


def _decoded(jpg: bytes) -> Any:
    import cv2

    return cv2.cvtColor(cv2.imdecode(np.frombuffer(jpg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


TASKS = {
    "conversion": convert,
    "raw, at random": read_at_random,
    "raw, in order": read_in_order,
    "decoded": read_decoded,
    "batches": read_batches,
}


def forget(folder: Path) -> None:
    """Ask the kernel to drop the files of a folder from its cache; on a system without that call nothing is done."""
    if not hasattr(os, "posix_fadvise"):
        return
    for path in (path for path in folder.rglob("*") if path.is_file()):
        file = os.open(path, os.O_RDONLY)
        try:
            os.fsync(file)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(file)


def reading(samples: int, pythons: dict[str, str]) -> dict[str, dict[str, Spent]]:
    """By reader and task; those of a cold cache end in ``cold``.

    Args:
        samples: number.
        pythons: that run a package's reader, where it is not this one.
    """
    from read_samples import write_forms

    found: dict[str, dict[str, Spent]] = {}
    with tempfile.TemporaryDirectory() as name:
        write_forms(Path(name), samples)
        for way, reader in READERS.items():
            python = pythons.get(reader.package, sys.executable)
            if python == sys.executable and find_spec(reader.package) is None:
                continue
            read = [python, __file__, name, "--read", way, "--task"]
            found[way] = {task: spent(*read, task) for task in TASKS if _can(reader, task)}
            forget(Path(name))
            found[way]["raw, cold"] = spent(*read, "raw, in order")
    return found


def _can(reader: Reader, task: str) -> bool:
    if task == "conversion":
        return reader.converted is not None
    return task != "raw, at random" or reader.by_number is not None


def print_building(found: dict[str, float], things: int) -> None:
    """Milliseconds a photo, and ratio to the first."""
    first = next(iter(found.values()))
    print(f"\n| building, {things} photos | processor ms each | × the first |\n|---|---:|---:|")
    for way, seconds in found.items():
        print(f"| {way} | {1000 * seconds / things:.2f} | {seconds / first:.2f} |", flush=True)


def print_reading(found: dict[str, dict[str, Spent]], things: int) -> None:
    """Milliseconds of processor time a sample; of a cold cache also those of wall time."""
    tasks = [*TASKS, "raw, cold"]
    print(f"\n| reading, {things} samples: processor ms each | {' | '.join(tasks)} (wall) |")
    print("|---|" + "---:|" * len(tasks))
    for way, by_task in found.items():
        cells = [f"{1000 * by_task[task].processor / things:.1f}" if task in by_task else "" for task in tasks]
        cells[-1] += f" ({1000 * by_task['raw, cold'].wall / things:.1f})"
        print(f"| {way} | {' | '.join(cells)} |", flush=True)


def main(
    photos: Annotated[Path, typer.Argument(help="Folder of photos.")] = ROOT / "examples" / "photos",
    program: Annotated[str, typer.Option("--img2dataset", help="The program.")] = "",
    samples: Annotated[int, typer.Option(help="Samples to read; 0: none.")] = 400,
    skip_building: Annotated[bool, typer.Option(help="Read only.")] = False,
    python: Annotated[list[str] | None, typer.Option(help="PACKAGE=PYTHON of a reader's environment.")] = None,
    read: Annotated[str, typer.Option(hidden=True)] = "",
    task: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Print the tables."""
    if task == LOOP:
        ultralytics_loop(photos)
        return
    if read:
        TASKS[task](READERS[read], photos)
        return
    pythons = dict(entry.split("=", 1) for entry in python or [])
    number = sum(path.suffix.lower() in PICTURES for path in photos.rglob("*"))
    if not skip_building:
        print_building(building(photos.resolve(), program, pythons), number)
    if samples:
        print_reading(reading(samples, pythons), samples)


if __name__ == "__main__":
    typer.run(main)
