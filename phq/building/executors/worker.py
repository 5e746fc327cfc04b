"""A worker process: it makes its state once, then does one order after the other until its pipe is closed."""

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
from phq.system.arrow import without_pandas

Order = tuple[Task, int | None]
"""A task; with a number, only the item of that index, whose results are not kept."""

READY, BATCH, DONE, FAILED = "ready", "batch", "done", "failed"


def serve(pipe: Connection, work: Work[Any, Any]) -> None:
    """Main function of the process.

    It sends ``(READY, None)`` once, ``(BATCH, n)`` before each batch of n items, and for every order
    ``(DONE, result)`` or ``(FAILED, (exception, traceback))``; after the latter it ends.
    """
    _leave_signals_to_parent()
    _be_killed_first()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    without_pandas()
    with contextlib.suppress(EOFError, ConnectionError):  # the parent has ended or closed the pipe
        try:
            _serve_orders(pipe, work)
        except Exception as error:  # noqa: BLE001 - raised again in the parent
            pipe.send((FAILED, (sendable(error), traceback.format_exc())))


def _serve_orders(pipe: Connection, work: Work[Any, Any]) -> None:
    state = work.setup()
    notify = _notifier(pipe)
    pipe.send((READY, None))
    while True:
        order: Order = pipe.recv()
        task, item = order
        if item is None:
            pipe.send((DONE, work.run(state, task, notify)))
        else:
            work.run_alone(state, task, item, notify)
            pipe.send((DONE, None))


def _notifier(pipe: Connection) -> Callable[[int], None]:
    return lambda items: pipe.send((BATCH, items))


class RaisedInWorkerError(Exception):
    """Cause of an exception raised in a worker; its text is the traceback there."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def sendable(error: Exception) -> Exception:
    """The error, or one with the same message where it cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - whatever an exception's own constructor raises
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _leave_signals_to_parent() -> None:
    """Ignore Ctrl-C, which reaches every process of a terminal and is the parent's to handle.

    SIGTERM, by which the parent ends a worker, becomes an exception, so that temporary files are removed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    if hasattr(signal, "pthread_sigmask"):  # blocked while the process was started
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})


def _leave(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not interrupt the clean-up
    sys.exit(1)


def _be_killed_first() -> None:
    """Let the kernel kill a worker, which can be replaced, before the parent when memory is short."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")


def _end_with_parent() -> None:
    """End this process when the parent has been killed, which then cannot stop its workers."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
