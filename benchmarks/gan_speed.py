"""A training step of the bundled generator against another checkout's, and its parts against the published operators.

    python benchmarks/gan_speed.py step OTHER [PRESET [ROUNDS]]     OTHER: a checkout of phq; PRESET: tiny
    python benchmarks/gan_speed.py parts [SIZE [ROUNDS]]            SIZE: 64 (of `tiny`) or 512 (raw 64², 128² to 512²)

CPU seconds of one thread, so that a busy machine counts for little; both sides take turns in each of ROUNDS (4), and a
ratio is the median of the ratios within a round. `step` runs each checkout in a process of its own, with its own
preset: the whole step with its share of R1, an image. `parts` computes the same step with phq's operators and with
those of the public code where it compiles nothing (`published_operators.py`), from the same weights, after a check that
both give the same pictures: tri-grids, no deformation, the discriminator looks twice, nothing is shared. Memory is the
most that one call holds at a time beyond what it was given. The floor is the step's convolutions at the speed at which
this thread multiplies matrices of 1024².
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

STEPS = 2
WORKER = """
import sys, time
sys.path.insert(0, sys.argv[1] + "/benchmarks")
from train import Step
step = Step(sys.argv[2], [])
every = step.training.losses.r1_every
step(); step.steps = 1
for _ in sys.stdin:
    start = time.process_time()
    for _ in range(int(sys.argv[3])):
        step()
        step.steps = 1
    plain = (time.process_time() - start) / int(sys.argv[3])
    start = time.process_time()
    step.phases.r1(step.real, step.now)
    print((plain + (time.process_time() - start) / every) / step.training.batch, flush=True)
"""
"""Answers each line with CPU seconds an image, R1 by its share."""


def worker(checkout: Path, preset: str) -> subprocess.Popen[str]:
    """A process with a checkout's own code."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", WORKER, str(checkout), preset, str(STEPS)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=checkout
    )


def answer(process: subprocess.Popen[str]) -> float:
    """CPU seconds an image."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def steps(other: Path, preset: str, rounds: int) -> None:
    """Print a step of both checkouts."""
    here = Path(__file__).resolve().parents[1]
    with worker(here, preset) as own, worker(other.resolve(), preset) as theirs:
        times = [(answer(own), answer(theirs)) for _ in range(rounds)]
        for process in (own, theirs):
            assert process.stdin is not None
            process.stdin.close()
    ratio = statistics.median(a / b for a, b in times)
    a, b = (1000 * statistics.median(column) for column in zip(*times, strict=True))
    print(f"{preset}: {a:.1f} CPU ms an image here, {b:.1f} there: {ratio:.2f} times")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    step = parts.add_parser("step")
    step.add_argument("other", type=Path)
    step.add_argument("preset", nargs="?", default="tiny")
    part = parts.add_parser("parts")
    part.add_argument("size", nargs="?", choices=("64", "512"), default="64")
    for each in (step, part):
        each.add_argument("rounds", nargs="?", type=int, default=4)
    arguments = parser.parse_args()
    if arguments.part == "step":
        steps(arguments.other, arguments.preset, arguments.rounds)
    else:
        from published_parts import compare

        compare(arguments.size, arguments.rounds)


if __name__ == "__main__":
    main()
