"""Processor time until something is to be seen: ``phq --help``, ``phq show``, and the first photo of a build decoded.

    python benchmarks/start.py DATASET [--against OLD/] [--rounds 5]

DATASET is any finished dataset. With ``--against`` another checkout takes turns with this one, since only ratios within
one run mean anything on a machine that has other work. Of each figure the least and the median of the rounds are
printed, in seconds of the process and all that it starts. Bytecode must have been compiled: run it twice.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Annotated

import typer

ROOT = Path(__file__).parents[1]
PHOTO = ROOT / "examples" / "photos" / "scikit-image-0.26.0__astronaut.png"
FIRST_PHOTO = """
import os, sys
from phq.system.arrow import without_pandas

without_pandas()
from phq.building.build import build
from phq.photos import decode

wrapped = decode.decode_bytes
decode.decode_bytes = lambda *args, **options: (wrapped(*args, **options), os._exit(0))
build(sys.argv[1], sys.argv[2], workers=1)
"""


def seconds(checkout: Path, *arguments: str) -> float:
    """Processor time of this Python with a checkout's phq."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    subprocess.run([sys.executable, *arguments], check=True, env=environment, cwd=checkout, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def once(checkout: Path, dataset: Path, key: str) -> dict[str, float]:
    """Each figure, once."""
    cli = str(checkout / "cli.py")
    with tempfile.TemporaryDirectory() as folder:
        return {
            "phq --help": seconds(checkout, cli, "--help"),
            "phq show": seconds(checkout, cli, "show", str(dataset), key),
            "first photo decoded": seconds(checkout, "-c", FIRST_PHOTO, str(PHOTO), f"{folder}/out"),
        }


def main(
    dataset: Annotated[Path, typer.Argument(help="A finished dataset.")],
    against: Annotated[Path | None, typer.Option(help="Another checkout, to take turns with.")] = None,
    rounds: Annotated[int, typer.Option(help="Turns of each.")] = 5,
) -> None:
    """Print the figures."""
    from phq import Dataset

    key = Dataset(dataset).keys[0]
    found: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for checkout in filter(None, (against, ROOT)):
            for what, took in once(checkout.resolve(), dataset.resolve(), key).items():
                found[f"{what}, {checkout.name}"].append(took)
    for what, all_of_it in sorted(found.items()):
        print(f"{what:40} least {min(all_of_it):.2f} s, median {statistics.median(all_of_it):.2f} s")


if __name__ == "__main__":
    typer.run(main)
