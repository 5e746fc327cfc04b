"""A build with the networkless pipeline in a process of its own, which may kill itself and all its workers.

Usage: python cheap_build.py PHOTOS OUT WORKERS [MOMENT]: at its change number MOMENT of the disk, the parent sends
SIGKILL to its whole process group.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

import networkless_pipeline
from file_faults import NAMES, faults
from pytest import MonkeyPatch

from phq.building import build as building
from phq.building.executors.choice import Engine, Execution


def main(photos: str, out: str, workers: str, *moment: str) -> None:
    """Build."""
    networkless_pipeline.use_networkless_pipeline(MonkeyPatch())
    engine = Engine.inline if workers == "1" else Engine.processes
    execution = Execution(engine=engine, workers=int(workers))
    with ExitStack() as stack:
        if moment:
            stack.enter_context(faults(Path(out).parent, "kill all", int(moment[0]), only=NAMES))
        building.build(photos, out, preset="everything", size=networkless_pipeline.SIDE, execution=execution)


if __name__ == "__main__":
    main(*sys.argv[1:])
