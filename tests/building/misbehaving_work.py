"""Work for executors that dies, hangs and fails where its items say so, and writes a small file for each task."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from phq.building.executors.contract import OPENED, OPENING, Notify, Task
from phq.errors import OutputError

BATCH = 4


@dataclass(frozen=True)
class OddWork:
    """Items are words: ``kill``, ``hang`` and ``refuse`` do so; ``kill once`` and ``hang once`` leave a note and behave
    the next time; ``slow`` takes a while; every other word is written down."""

    folder: Path

    def setup(self) -> list[str]:
        return []

    def run(self, state: list[str], task: Task, notify: Notify) -> int:
        done = []
        for start in range(0, len(task.items), BATCH):
            batch = range(start, min(start + BATCH, len(task.items)))
            notify(len(batch))
            done += [self._do(task.items[i]) if i not in task.refused else task.refused[i].reason for i in batch]
            notify(0)
        path = self.folder / f"{task.number:04d}.json"
        growing = path.with_suffix(".tmp")
        growing.write_text(json.dumps(done))
        growing.replace(path)
        return task.number

    def run_alone(self, state: list[str], task: Task, item: int, notify: Notify) -> None:
        notify(1)
        self._do(task.items[item])
        notify(0)

    def sees(self, task: Task) -> dict[str, str]:
        return {str(self.folder): "a folder" if self.folder.is_dir() else "nothing"}

    def _do(self, word: str) -> str:
        word, _, once = word.partition(" ")
        if once and (note := self.folder / f"{word}.noted").exists():
            return word
        if once:
            note.touch()
        if word == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if word == "hang":
            time.sleep(600)
        if word == "slow":
            time.sleep(0.2)
        if word == "refuse":
            raise OutputError("the disk is full")
        return word


class HangsToStart(OddWork):
    """Never ready."""

    def setup(self) -> list[str]:
        time.sleep(600)
        return []


class HangsAtItsSecondStart(OddWork):
    """Ready at the first and the third."""

    def setup(self) -> list[str]:
        starts = self.folder / "starts.noted"
        number = len(starts.read_text()) if starts.exists() else 0
        starts.write_text("x" * (number + 1))
        if number == 1:
            time.sleep(600)
        return []


@dataclass(frozen=True)
class OpensLate(OddWork):
    """Gets ready within its first batch, which takes some seconds."""

    seconds: float = 2.0

    def run(self, state: list[str], task: Task, notify: Notify) -> int:
        notify(len(task.items))
        if not state:
            notify(OPENING)
            time.sleep(self.seconds)
            notify(OPENED)
            state.append("open")
        for word in (word for i, word in enumerate(task.items) if i not in task.refused):
            self._do(word)
        return task.number


def tasks(*units: list[str]) -> list[Task]:
    return [Task(number, items) for number, items in enumerate(units)]


def written(folder: Path) -> dict[int, list[str]]:
    """What every task has left."""
    return {int(path.stem): json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


@dataclass(frozen=True)
class CountsThreads:
    """Uses every library that likes threads, and says how many it has."""

    def setup(self) -> None: ...

    def run(self, state: None, task: Task, notify: Notify) -> dict[str, int]:
        import cv2
        import numpy as np
        import pyarrow as pa
        from scipy import linalg
        from threadpoolctl import threadpool_info

        from phq.weights.devices import open_session

        session = open_session("centerface")
        feed = {session.get_inputs()[0].name: np.zeros((1, 3, 320, 320), np.float32)}
        session.run(None, feed)
        linalg.solve(np.random.default_rng(0).random((300, 300)), np.ones(300))
        cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.uint8), (0, 0), 3)
        return {
            "threads": len(list(Path("/proc/self/task").iterdir())),
            "blas": max(pool["num_threads"] for pool in threadpool_info()),
            "opencv": cv2.getNumThreads(),
            "arrow": pa.cpu_count(),
        }

    def run_alone(self, state: None, task: Task, item: int, notify: Notify) -> None: ...

    def sees(self, task: Task) -> dict[str, str]:
        return {}


@dataclass(frozen=True)
class SaysItsDevice:
    """The device that a worker would run networks on."""

    def setup(self) -> None: ...

    def run(self, state: None, task: Task, notify: Notify) -> str:
        from phq.weights.devices import chosen_device

        return str(chosen_device())

    def run_alone(self, state: None, task: Task, item: int, notify: Notify) -> None: ...

    def sees(self, task: Task) -> dict[str, str]:
        return {}


@dataclass(frozen=True)
class SetupFails:
    """Cannot even start."""

    how: str

    def setup(self) -> None:
        if self.how == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OutputError("no room for the networks")

    def run(self, state: None, task: Task, notify: Notify) -> None: ...

    def run_alone(self, state: None, task: Task, item: int, notify: Notify) -> None: ...

    def sees(self, task: Task) -> dict[str, str]:
        return {"here": str(os.getpid())}  # another one on every machine
