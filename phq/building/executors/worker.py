"""A worker process: it makes its state once, then does one order after the other until its pipe closes."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any

from phq.building.executors.contract import Task, Work

Order = tuple[Task, int | None]
"""A task; with a number, only this item of it, and nothing is kept."""

READY, TOLD, DONE, FAILED = "ready", "told", "done", "failed"


def serve(pipe: Connection, work: Work[Any, Any]) -> None:
    """Main function of the process.

    It sends ``(READY, None)`` once, ``(TOLD, n)`` before each batch of n items, and for every order
    ``(DONE, result)`` or ``(FAILED, (exception, traceback))``; after the latter it ends.
    """
    _obey_the_parent_alone()
    _be_first_to_go()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, ConnectionError):  # the parent is gone or wants no more
        try:
            _work_off(pipe, work)
        except Exception as error:  # noqa: BLE001 - raised again in the parent
            pipe.send((FAILED, (sendable(error), traceback.format_exc())))


def _work_off(pipe: Connection, work: Work[Any, Any]) -> None:
    state = work.setup()
    tell = _teller(pipe)
    pipe.send((READY, None))
    while True:
        order: Order = pipe.recv()
        task, item = order
        if item is None:
            pipe.send((DONE, work.run(state, task, tell)))
        else:
            work.run_alone(state, task, item, tell)
            pipe.send((DONE, None))


def _teller(pipe: Connection) -> Callable[[int], None]:
    return lambda items: pipe.send((TOLD, items))


class RaisedInWorkerError(Exception):
    """Cause of an exception that comes from a worker: where it was raised there."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def sendable(error: Exception) -> Exception:
    """The error itself, or one with the same words where it does not survive pickling."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - whatever an exception's own constructor raises
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _obey_the_parent_alone() -> None:
    """Ctrl-C reaches every process of a terminal, and the parent is the one that decides; SIGTERM is its word.

    SIGTERM becomes an exception, so that temporary files go as they do with any other error.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    if hasattr(signal, "pthread_sigmask"):  # blocked while the process was started
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})


def _leave(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not interrupt the tidying
    sys.exit(1)


def _be_first_to_go() -> None:
    """When memory is short, the kernel shall kill a worker, which is replaced, rather than the parent."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")


def _end_with_parent() -> None:
    """A parent that is killed cannot stop its workers."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
