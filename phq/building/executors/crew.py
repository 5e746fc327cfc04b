"""A few worker processes and the pipes to them: started, watched, killed and replaced."""

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

from phq.building.executors.contract import Work
from phq.building.executors.search import Attempt
from phq.building.executors.worker import READY, TOLD, serve
from phq.system.threads import one_thread_in_children

HELD = (signal.SIGINT, signal.SIGTERM)
PATIENCE_S = 5.0
"""How long a process may take to leave before it is killed, and to be gone after that."""


@dataclass(eq=False)
class Member:
    """One worker process."""

    process: SpawnProcess
    pipe: Connection
    ready: bool = False
    attempt: Attempt | None = None
    """What it is at; None if it waits for an order."""
    deadline: float = field(default=float("inf"))
    """On the clock of `time.monotonic`: of its start at first, then of its batch."""

    def order(self, attempt: Attempt) -> None:
        """Give it something to do. A process that has just died is noticed when its pipe is read."""
        self.attempt = attempt
        attempt.begin()
        try:
            self.pipe.send((attempt.task, attempt.alone))
        except BrokenPipeError:
            return

    def listen(self, limit: float) -> tuple[str, Any] | None:
        """What it says of its order; None for a sign of life.

        Args:
            limit: seconds an item may take.

        Raises:
            EOFError: it is dead.
        """
        try:
            kind, content = self.pipe.recv()
        except OSError as error:  # ConnectionResetError where the pipe is a socket
            raise EOFError from error
        if kind == TOLD:
            assert self.attempt is not None
            self.attempt.follow(content)
            self.deadline = time.monotonic() + limit * content if content else float("inf")
            return None
        self.deadline = float("inf")
        if kind == READY:
            self.ready = True
            return None
        return kind, content

    def end(self, at_once: bool) -> str:
        """Make sure that it is gone; how it went."""
        if at_once:
            self.process.kill()
        self.process.join(PATIENCE_S)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join(PATIENCE_S)  # one that hangs in a call to a dead disk cannot even be killed
        self.pipe.close()
        return _way_to_go(self.process.exitcode)


def _way_to_go(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"ended with code {code}"


def hire(work: Work[Any, Any], patience: float) -> Member:
    """Start a worker: spawned, since a fork would copy this process's threads in unknown states.

    Args:
        patience: seconds it may take to be ready.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(there, work), daemon=True)
    with one_thread_in_children(), _signals_held():
        process.start()
    there.close()  # or its end would never be seen
    return Member(process, here, deadline=time.monotonic() + patience)


@contextmanager
def _signals_held() -> Iterator[None]:
    """Signals wait until the end of the block, so that no process is left half started; and a child that is born in it
    has them blocked, until it knows what to do with them."""
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


def dismiss(members: list[Member]) -> None:
    """End all of them: each may remove its temporary files first."""
    for member in members:
        member.process.terminate()
    for member in members:
        member.end(at_once=False)


def heard(members: list[Member], until: float) -> list[Member]:
    """Members that have something to say, or are dead; empty when the clock (`time.monotonic`) says `until`."""
    timeout = None if until == float("inf") else max(0.0, until - time.monotonic())
    said = connection.wait([member.pipe for member in members], timeout)
    return [member for member in members if member.pipe in said]
