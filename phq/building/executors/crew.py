"""Worker processes and the pipes to them: start, watch, stop."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from phq.building.executors.contract import OPENING, Work
from phq.building.executors.search import Attempt
from phq.building.executors.worker import BATCH, READY, serve
from phq.system.threads import one_thread_in_children

HELD = (signal.SIGINT, signal.SIGTERM)
PATIENCE_S = 5.0
"""Seconds that a process has to end before it is killed, and to disappear after that."""


@dataclass(eq=False)
class Member:
    """One worker process."""

    process: SpawnProcess
    pipe: Connection
    patience: float = float("inf")
    """Seconds until it must be ready."""
    ready: bool = False
    attempt: Attempt | None = None
    """What it is working on; None if it is idle."""
    deadline: float = field(default=float("inf"))
    """By `time.monotonic`: first of its start, then of its batch."""
    _batch_s: float = field(default=float("inf"))
    """Seconds that its batch may take."""

    def __post_init__(self) -> None:
        self.deadline = time.monotonic() + self.patience

    def order(self, attempt: Attempt) -> None:
        """Send it an attempt. A process that has just died is noticed when its pipe is read."""
        self.attempt = attempt
        attempt.begin()
        try:
            self.pipe.send((attempt.task, attempt.alone))
        except BrokenPipeError:
            return

    def listen(self, limit: float) -> tuple[str, Any] | None:
        """Read its next message: kind and content of an answer, None for a notification.

        Args:
            limit: seconds an item may take.

        Raises:
            EOFError: the process is dead.
        """
        try:
            kind, content = self.pipe.recv()
        except OSError as error:  # ConnectionResetError where the pipe is a socket
            raise EOFError from error
        if kind == BATCH:
            self._follow(content, limit)
            return None
        self.deadline = float("inf")
        if kind == READY:
            self.ready = True
            return None
        return kind, content

    def _follow(self, items: int, limit: float) -> None:
        """Take in what `Notify` was called with."""
        self.ready = items != OPENING
        if items >= 0:
            assert self.attempt is not None
            self.attempt.follow(items)
            self._batch_s = limit * items if items else float("inf")
        self.deadline = time.monotonic() + (self._batch_s if self.ready else self.patience)

    def end(self, at_once: bool) -> str:
        """End the process and return how it ended.

        Args:
            at_once: kill it without waiting.
        """
        if at_once:
            self.process.kill()
        self.process.join(PATIENCE_S)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join(PATIENCE_S)  # a process that hangs in a call to a dead disk cannot be killed
        self.pipe.close()
        return _exit_text(self.process.exitcode)


def _exit_text(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"ended with code {code}"


def start_worker(work: Work[Any, Any], patience: float) -> Member:
    """Start a worker: spawned, since a fork would copy this process's threads in unknown states.

    Args:
        work: what it will do.
        patience: seconds until it must be ready.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(there, work), daemon=True)
    with one_thread_in_children(), _signals_held():
        process.start()
    there.close()  # else the end of the pipe would never be noticed
    return Member(process, here, patience)


@contextmanager
def _signals_held() -> Iterator[None]:
    """Delay signals to the end of the block, so that no process is left half started; a child process starts with them
    blocked, until it has its own handlers."""
    came: list[int] = []
    main = threading.current_thread() is threading.main_thread()  # only there can handlers be changed
    handlers = {number: signal.signal(number, lambda n, _: came.append(n)) for number in HELD if main}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, HELD) if hasattr(signal, "pthread_sigmask") else None
    try:
        yield
    finally:
        if blocked is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for number, handler in handlers.items():
            signal.signal(number, handler or signal.SIG_DFL)
        for missed in came:
            signal.raise_signal(missed)


def stop_workers(members: list[Member]) -> None:
    """End all workers; each may remove its temporary files first."""
    for member in members:
        member.process.terminate()
    for member in members:
        member.end(at_once=False)


def ready_to_read(members: list[Member], until: float) -> list[Member]:
    """Workers whose pipe has a message or is closed; empty at the time `until` (of `time.monotonic`)."""
    timeout = None if until == float("inf") else max(0.0, until - time.monotonic())
    said = connection.wait([member.pipe for member in members], timeout)
    return [member for member in members if member.pipe in said]
