"""Where the time and memory of a build go, and what a second worker buys: ratios within one run.

    python benchmarks/build.py [PHOTOS] [--memory 200 --memory 2000] [--skip-walls]

Prints processor time of a build over that inside its networks, by stage; wall time of one worker and of
`benchmarks/naive.py` over that of two workers; and with ``--memory`` the peak memory of a worker for so many photos.
Seconds are of this machine and this moment; only the ratios mean anything, and those of wall times only on a machine
that has two cores to spare. Bytecode must have been compiled: run it twice.
"""

from __future__ import annotations

import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import typer
from PIL import Image

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples" / "photos"
PORTRAIT = EXAMPLES / "scikit-image-0.26.0__astronaut.png"
CORES = 16
"""Of a machine with a GPU: how fast they could be is printed."""
SIDE = 384
"""Pixels of the photos that memory is measured on: small, so that thousands are affordable."""


def fresh(work: Callable[..., Any], *args: Any) -> Any:
    """Result of a call in a process of its own, whose processor time and memory are those of the call."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *args).result()


class Spent:
    """Processor time inside networks, stages, and what is done outside both, of the build in this process."""

    def __init__(self) -> None:
        self.networks: Counter[str] = Counter()
        """By file; number of calls under ``FILE calls``."""
        self.inside: Counter[str] = Counter()
        """Networks' time by the stage that asks them."""
        self.outside: Counter[str] = Counter()
        """By what is done."""
        self._stage = ""

    def watch(self) -> None:
        """Count from now on."""
        import onnxruntime

        spent = self

        class Counted(onnxruntime.InferenceSession):  # type: ignore[misc]
            def __init__(self, path: str, *args: Any, **options: Any) -> None:
                super().__init__(path, *args, **options)
                self.file = Path(path).stem

            def run(self, *args: Any) -> Any:
                start = time.process_time()
                result = super().run(*args)
                seconds = time.process_time() - start
                spent.networks += Counter({self.file: seconds, f"{self.file} calls": 1})  # type: ignore[dict-item]
                spent.inside[spent._stage] += seconds  # type: ignore[assignment]
                return result

        onnxruntime.InferenceSession = Counted

    def watch_build(self) -> None:
        """Count the steps of a build, whose modules are imported by this."""
        start = time.process_time()
        from phq.building import build, unit
        from phq.building.finalise import dataset
        from phq.stages import pipeline

        self.outside["imports"] += time.process_time() - start  # type: ignore[assignment]
        pipeline.time = SimpleNamespace(perf_counter=time.process_time)  # type: ignore[assignment]
        isolated = pipeline._isolated

        def in_stage(process: Callable[..., None], photos: list[Any]) -> None:
            self._stage = process.__self__.name  # type: ignore[attr-defined]
            isolated(process, photos)

        pipeline._isolated = in_stage
        for module, name, what in (
            (pipeline.Pipeline, "open", "networks opened"), (unit, "write_rows", "tables of units"),
            (build, "open_work_folder", "plan"), (build, "conclude_units", "gather, decide"),
            (dataset, "write_shards", "shards"), (dataset, "draw_sheet", "contact sheet"),
            (dataset, "finish_dataset", "manifest, rejects, card"),
        ):  # fmt: skip
            setattr(module, name, self._timed(getattr(module, name), what))

    def _timed(self, call: Callable[..., Any], what: str) -> Callable[..., Any]:
        def timed(*args: Any, **options: Any) -> Any:
            start = time.process_time()
            try:
                return call(*args, **options)
            finally:
                self.outside[what] += time.process_time() - start  # type: ignore[assignment]

        return timed


def processor_time(photos: Path) -> tuple[float, Spent, dict[str, float]]:
    """Seconds of the whole process with all its imports, inside the networks, and inside the stages."""
    from phq.system.arrow import without_pandas

    spent = Spent()
    without_pandas()  # as the command does
    spent.watch()
    spent.outside["imports"] += time.process_time()  # type: ignore[assignment]
    spent.watch_build()
    from phq import build

    with tempfile.TemporaryDirectory() as folder:
        stages = build(photos, Path(folder) / "out", preset="everything", workers=1).seconds
    stages.pop("wall", None)
    return time.process_time(), spent, stages


def peak_memory(photos: Path, workers: int) -> tuple[float, float]:
    """MiB at most in the process that was called, and in the largest of its workers."""
    from phq import build

    with tempfile.TemporaryDirectory() as folder:
        build(photos, Path(folder) / "out", preset="everything", workers=workers)
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    own, largest = (resource.getrusage(kind).ru_maxrss / 1024 for kind in kinds)
    return own, largest


def command_seconds(*command: str) -> tuple[float, float]:
    """Wall and processor time of a command of this Python."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, cwd=ROOT, capture_output=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def many_portraits(folder: Path, number: int) -> None:
    """So many small photos of one person, no two alike."""
    with Image.open(PORTRAIT) as opened:
        portrait = opened.convert("RGB")
    for i in range(number):
        x, y = i % 61, i // 61 % 59
        part = portrait.resize((SIDE, SIDE), box=(x, y, x + 450, y + 450))
        part.save(folder / f"{i:06d}.jpg", quality=80 + i // 3600 % 16)


def print_processor_time(photos: Path) -> None:
    """Build over networks, and the shares of both."""
    total, spent, stages = fresh(processor_time, photos)
    networks = {name: s for name, s in spent.networks.items() if not name.endswith(" calls")}
    inside = sum(networks.values())
    files = sum(path.is_file() for path in photos.rglob("*"))
    print(f"processor time {total:.1f} s, inside networks {inside:.1f} s; {files} files, {files / total:.2f} a second")
    for name, seconds in sorted(networks.items(), key=lambda item: -item[1]):
        calls = spent.networks[f"{name} calls"]
        print(f"  {name:20} {seconds / total:6.1%}  {calls:5} calls of {seconds / calls * 1000:.1f} ms")
    own = {name: seconds - spent.inside[name] for name, seconds in stages.items()}
    for name, seconds in sorted(own.items(), key=lambda item: -item[1]):
        print(f"  stage {name:20} {seconds / total:6.1%}  without its networks")
    rest = total - sum(stages.values()) - sum(spent.outside.values())
    for name, seconds in [*sorted(spent.outside.items(), key=lambda item: -item[1]), ("all else", rest)]:
        print(f"  {name:26} {seconds / total:6.1%}")
    print(f"build / networks              {total / inside:.2f}")
    print(f"stages / networks             {sum(stages.values()) / inside:.2f}")
    outside = (total - inside) / files
    print(f"outside the networks          {1000 * outside:.0f} ms a photo")
    print(f"photos a second of {CORES} cores    {CORES / outside:.0f}, with networks that cost them nothing")


def print_walls(photos: Path) -> None:
    """One worker and the naive script over two workers."""
    with tempfile.TemporaryDirectory() as folder:
        build = ["-c", "from phq.cli import main; main()", "build", str(photos)]
        one, two = (
            command_seconds(*build, f"{folder}/{n}", "--preset", "everything", "--workers", str(n)) for n in (1, 2)
        )
        naive = command_seconds("benchmarks/naive.py", str(photos), f"{folder}/naive")
    for name, (wall, cpu) in (("one worker", one), ("two workers", two), ("naive", naive)):
        print(f"{name:12} wall {wall:6.1f} s   processor {cpu:6.1f} s")
    print(f"one worker / two workers      {one[0] / two[0]:.2f}")
    print(f"naive / two workers           {naive[0] / two[0]:.2f}")


def print_memory(photos: Path, numbers: list[int]) -> None:
    """Peaks for the photos themselves, and for so many small ones."""
    print(f"peak of {photos.name} in one process: {fresh(peak_memory, photos, 1)[0]:.0f} MiB")
    for number in numbers:
        with tempfile.TemporaryDirectory() as folder:
            many_portraits(Path(folder), number)
            own, largest = fresh(peak_memory, Path(folder), 2)
        print(f"peak of {number} small photos: larger of two workers {largest:.0f} MiB, their parent {own:.0f}")


def main(
    photos: Annotated[Path, typer.Argument(help="Folder of photos.")] = EXAMPLES,
    memory: Annotated[list[int] | None, typer.Option(help="Also measure memory on so many small photos.")] = None,
    skip_walls: Annotated[bool, typer.Option(help="Processor time and memory only.")] = False,
) -> None:
    """Print shares and ratios."""
    print_processor_time(photos.resolve())
    if not skip_walls:
        print_walls(photos.resolve())
    if memory:
        print_memory(photos.resolve(), memory)


if __name__ == "__main__":
    typer.run(main)
