"""A build on a GPU: photos a second, how busy the card is, and whether its labels are those of the CPU.

    python benchmarks/gpu.py PHOTOS [--device cuda:0] [--workers 8 --workers 16] [--photos 2000] [--check 64]

PHOTOS are linked under new names until there are `--photos` of them. Each build is timed as a whole, and without the
time that as many workers take for one photo each, which is the price of the start. The card is asked once a second by
nvidia-smi. `--check` photos are then built by the device and by the CPU: a line a column with median, 99th percentile
and maximum of the differences between the same people.

No GPU was at hand when this was written: its numbers are in no document. `onnxruntime-gpu` must be installed; ten
minutes are enough. With `--device cpu` it runs anywhere, as a test of itself.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow.parquet as pq
import typer

ROOT = Path(__file__).parents[1]
PICTURES = (".jpg", ".jpeg", ".png", ".webp")
ANGLES = ("camera_yaw_deg", "camera_pitch_deg", "camera_roll_deg", "head_yaw_deg", "head_pitch_deg")
NUMBERS = ("p_flip", "yaw_sigma_deg", "crop_side_px", "mask_confidence", "detection_score")
"""Columns that are compared, angles around the circle; those that a dataset lacks are left out."""
QUERY = "--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits", "-l", "1"


def linked(photos: list[Path], folder: Path, count: int) -> Path:
    """A folder with so many links to the photos, one after the other."""
    folder.mkdir()
    for number in range(count):
        photo = photos[number % len(photos)]
        (folder / f"{number:06d}{photo.suffix.lower()}").symlink_to(photo.resolve())
    return folder


def built(photos: Path, out: Path, device: str, workers: int) -> float:
    """Seconds of a build."""
    start = time.perf_counter()
    command = [sys.executable, str(ROOT / "cli.py"), "build", str(photos), str(out), "--preset", "everything"]
    done = subprocess.run(
        [*command, "--device", device, "--workers", str(workers)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return time.perf_counter() - start


@contextmanager
def watched(device: str) -> Iterator[list[tuple[float, float]]]:
    """(share of the last second that the card was busy, MiB in use), once a second; empty without nvidia-smi."""
    seen: list[tuple[float, float]] = []
    program = shutil.which("nvidia-smi")
    if program is None or not device.startswith(("cuda", "tensorrt")):
        yield seen
        return
    asked = subprocess.Popen(
        [program, *QUERY, "-i", device.partition(":")[2] or "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        yield seen
    finally:
        asked.terminate()
        for line in asked.communicate()[0].splitlines():
            busy, memory = line.split(",")
            seen.append((float(busy) / 100, float(memory)))


def speed(photos: list[Path], work: Path, device: str, workers: int, count: int) -> str:
    """A row of the table."""
    start = built(linked(photos, work / f"few-{workers}", workers), work / f"start-{workers}", device, workers)
    with watched(device) as seen:
        seconds = built(linked(photos, work / f"many-{workers}", count), work / f"out-{workers}", device, workers)
    busy = f"{np.mean([share for share, _ in seen]):.0%} | {max(mib for _, mib in seen):.0f}" if seen else "– | –"
    rest = (count - workers) / max(seconds - start, 1e-9)
    return f"| {device}, {workers} | {count} | {count / seconds:.2f} | {rest:.2f} | {busy} |"


def differences(one: Path, other: Path) -> Iterator[str]:
    """A row a column: how two datasets of the same photos differ, person by person."""
    tables = [
        {(row["source_path"], row["person_index"]): row for row in pq.read_table(path / "manifest.parquet").to_pylist()}
        for path in (one, other)
    ]
    both = sorted(tables[0].keys() & tables[1].keys())
    yield f"| people | in both {len(both)} | in one alone {len(tables[0].keys() ^ tables[1].keys())} | | |"
    for name in (*ANGLES, *NUMBERS):
        pairs: list[tuple[Any, Any]] = [(tables[0][key].get(name), tables[1][key].get(name)) for key in both]
        values = np.array([pair for pair in pairs if None not in pair], float).reshape(-1, 2)
        if not len(values):
            continue
        off = np.abs(values[:, 0] - values[:, 1])
        if name in ANGLES:
            off = np.minimum(off, 360 - off)
        yield f"| {name} | {len(off)} | {np.median(off):.4f} | {np.percentile(off, 99):.4f} | {off.max():.4f} |"


def main(
    photos: Annotated[Path, typer.Argument(help="Folder of photos.")] = ROOT / "examples" / "photos",
    device: Annotated[str, typer.Option(help="Device of the networks.")] = "cuda:0",
    workers: Annotated[list[int] | None, typer.Option(help="Worker processes.")] = None,
    count: Annotated[int, typer.Option("--photos", help="Photos of a build.")] = 2000,
    check: Annotated[int, typer.Option(help="Photos whose labels are compared with the CPU's; 0: none.")] = 64,
) -> None:
    """Print both tables."""
    found = sorted(path for path in photos.rglob("*") if path.suffix.lower() in PICTURES)
    if not found:
        raise SystemExit(f"{photos}: no photos")
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        print("| device, workers | photos | a second | without the start | card busy | MiB |\n|---|" + "---:|" * 5)
        for number in workers or [1]:
            print(speed(found, work, device, number, count), flush=True)
        if check:
            some = linked(found, work / "check", min(check, len(found)))
            compared = work / "checked-by-device", work / "checked-by-cpu"
            for out, where in zip(compared, (device, "cpu"), strict=True):
                built(some, out, where, (workers or [1])[-1])
            print(f"\n| {device} against the CPU | n | median | 99th percentile | most |\n|---|" + "---:|" * 4)
            print("\n".join(differences(*compared)))


if __name__ == "__main__":
    typer.run(main)
