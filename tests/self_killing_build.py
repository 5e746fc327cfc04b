"""A build with the networkless pipeline in a process of its own, which may kill itself and all its workers.

Usage: python cheap_build.py PHOTOS OUT WORKERS [MOMENT]: at its change number MOMENT of the disk, the parent sends
SIGKILL to its whole process group.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import networkless_pipeline
from kill_at_disk_change import changes_disk
from pytest import MonkeyPatch

from phq.building import build as building
from phq.building.executors.choice import Engine, Execution


def kill_everybody_at(moment: int, folder: str) -> None:
    """Count this process's changes of the files in `folder`, and end its process group before that one."""
    left = [moment]

    def hook(event: str, args: tuple[object, ...]) -> None:
        if changes_disk(event, args, folder):
            left[0] -= 1
            if left[0] < 0:
                os.killpg(0, signal.SIGKILL)

    sys.addaudithook(hook)


def main(photos: str, out: str, workers: str, *moment: str) -> None:
    """Build."""
    networkless_pipeline.use_networkless_pipeline(MonkeyPatch())
    if moment:
        kill_everybody_at(int(moment[0]), str(Path(out).parent))
    engine = Engine.inline if workers == "1" else Engine.processes
    execution = Execution(engine=engine, workers=int(workers))
    building.build(photos, out, preset="everything", size=networkless_pipeline.SIDE, execution=execution)


if __name__ == "__main__":
    main(*sys.argv[1:])
