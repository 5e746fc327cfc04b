"""What a folder of photos costs here and in what people would use instead: processor time of whole processes.

    python benchmarks/peers.py PHOTOS --img2dataset BIN/img2dataset [--samples 1000]

Building: ``phq build``; a naive script of the same networks (`naive.py`); and img2dataset, which decodes, resizes to
the same side and writes WebDataset shards: what a dataset costs without any network. It is a program of its own
environment and gets the photos as ``file:`` URLs.

Reading: the bytes of all members of every sample once, in one process, with imports and opening: at random by
`phq.Dataset`, wids and Hugging Face's ``datasets`` (Parquet, with the conversion that it makes first), and in order by
`phq.Dataset` and webdataset. All of it comes from the page cache.

Every figure includes the processes that were started. Only ratios within one run mean anything.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

ROOT = Path(__file__).parents[1]
SIDE = 512
PICTURES = (".jpg", ".jpeg", ".png")
Members = Iterable[bytes]


def seconds(*command: str) -> float:
    """Processor time of a command and all that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def img2dataset(program: str, photos: Path, work: Path) -> list[str]:
    """Its command line for local photos, one process, one thread."""
    urls = work / "urls.txt"
    urls.write_text("\n".join(p.as_uri() for p in sorted(photos.rglob("*")) if p.suffix.lower() in PICTURES))
    how = {"image_size": SIDE, "resize_mode": "keep_ratio", "output_format": "webdataset", "processes_count": 1}
    how |= {"thread_count": 1, "encode_quality": 95, "url_list": urls, "output_folder": work / "img2dataset"}
    return [program, *(f"--{name}={value}" for name, value in how.items())]


def building(photos: Path, program: str) -> dict[str, float]:
    """Seconds by way."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        build = [sys.executable, "cli.py", "build", str(photos), str(work / "phq"), "--workers", "1"]
        ways = {
            "phq build": [*build, "--preset", "everything", "--size", str(SIDE)],
            "naive script, the same networks": [
                sys.executable,
                "benchmarks/naive.py",
                str(photos),
                str(work / "naive"),
            ],
        }
        if program:
            ways["img2dataset: decode, resize, shards"] = img2dataset(program, photos, work)
        return {way: seconds(*command) for way, command in ways.items()}


def by_phq(folder: Path) -> tuple[int, Callable[[int], Members]]:
    from phq import Dataset
    from phq.dataset.tar import MEMBERS

    samples = Dataset(folder / "phq")
    return len(samples), lambda i: [samples[i].read(name) for name in MEMBERS]


def by_wids(folder: Path) -> tuple[int, Callable[[int], Members]]:
    import wids

    index = folder / "phq" / "train-index.json"
    samples = wids.ShardListDataset(
        str(index), cache_dir=str(folder / "phq" / "train"), lru_size=200, transformations=[]
    )
    return len(samples), lambda i: [v.read() for k, v in samples[i].items() if k in (".jpg", ".json", ".mask.png")]


def by_datasets(folder: Path) -> tuple[int, Callable[[int], Members]]:
    import datasets

    rows = datasets.Dataset.from_parquet(str(folder / "samples.parquet"), cache_dir=str(folder / "cache"))
    return len(rows), lambda i: [v if isinstance(v, bytes) else str(v).encode() for v in rows[i].values()]


def at_random(opened: tuple[int, Callable[[int], Members]]) -> Iterator[Members]:
    count, members = opened
    return map(members, np.random.default_rng(1).permutation(count).tolist())


def in_order_by_phq(folder: Path) -> Iterator[Members]:
    count, members = by_phq(folder)
    return map(members, range(count))


def in_order_by_webdataset(folder: Path) -> Iterator[Members]:
    import webdataset

    shards = sorted(str(path) for path in (folder / "phq" / "train").glob("*.tar"))
    return ([s["jpg"], s["json"], s["mask.png"]] for s in webdataset.WebDataset(shards, shardshuffle=False))


READERS: dict[str, Callable[[Path], Iterable[Members]]] = {
    "at random: phq.Dataset": lambda folder: at_random(by_phq(folder)),
    "at random: wids": lambda folder: at_random(by_wids(folder)),
    "at random: datasets, Parquet converted": lambda folder: at_random(by_datasets(folder)),
    "in order: phq.Dataset": in_order_by_phq,
    "in order: webdataset": in_order_by_webdataset,
}


def read_all(way: str, folder: Path) -> None:
    """What a child process does."""
    assert sum(all(map(len, members)) for members in READERS[way](folder)) > 0


def reading(samples: int) -> dict[str, float]:
    """Seconds by way."""
    from read_samples import write_forms

    with tempfile.TemporaryDirectory() as name:
        write_forms(Path(name), samples)
        return {way: seconds(sys.executable, __file__, name, "--read", way) for way in READERS}


def print_table(title: str, found: dict[str, float], things: int) -> None:
    """Milliseconds a thing, and ratio to the first."""
    first = next(iter(found.values()))
    print(f"\n| {title} | processor ms each | × the first |\n|---|---:|---:|")
    for way, spent in found.items():
        print(f"| {way} | {1000 * spent / things:.2f} | {spent / first:.2f} |", flush=True)


def main(
    photos: Annotated[Path, typer.Argument(help="Folder of photos.")] = ROOT / "examples" / "photos",
    program: Annotated[str, typer.Option("--img2dataset", help="The program.")] = "",
    samples: Annotated[int, typer.Option(help="Samples to read; 0: none.")] = 1000,
    read: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Print the tables."""
    if read:
        read_all(read, photos)
        return
    number = sum(path.suffix.lower() in PICTURES for path in photos.rglob("*"))
    print_table(f"building, {number} photos", building(photos.resolve(), program), number)
    if samples:
        print_table(f"reading, {samples} samples", reading(samples), samples)


if __name__ == "__main__":
    typer.run(main)
