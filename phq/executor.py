"""Running independent work units, in this process or in several. Executors know nothing of images."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any, TypeVar

Unit = TypeVar("Unit")
Result = TypeVar("Result")
State = TypeVar("State")

_state: Any = None
_failure: Exception | None = None


def run_units(
    setup: Callable[[], State], work: Callable[[State, Unit], Result], units: Iterable[Unit], workers: int
) -> Iterator[Result]:
    """Results in order of completion.

    Args:
        setup: makes the state (loaded networks) once a worker; must be picklable, as `work` and the units.
        workers: 1 runs in this process.

    Raises:
        whatever `setup` or `work` raised first; units not yet started are then dropped.
    """
    if workers == 1:
        state = setup()
        for unit in units:
            yield work(state, unit)
        return
    context = multiprocessing.get_context("spawn")  # a fork would copy the parent's threads in unknown states
    with ProcessPoolExecutor(workers, context, initializer=_start, initargs=(setup,)) as pool:
        yield from _completed(pool, work, iter(units), workers)


def _completed(
    pool: ProcessPoolExecutor, work: Callable[[State, Unit], Result], units: Iterator[Unit], workers: int
) -> Iterator[Result]:
    """Keep two units a worker in flight: a million units are never queued at once."""
    running: set[Future[Result]] = set()
    exhausted = False
    try:
        while running or not exhausted:
            while not exhausted and len(running) < 2 * workers:
                unit = next(units, None)
                exhausted = unit is None
                if unit is not None:
                    running.add(pool.submit(_call, work, unit))
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    finally:
        for future in running:
            future.cancel()


def _start(setup: Callable[[], Any]) -> None:
    """Make the state of a worker process; an error is kept for `_call`, since raised here it would lose its name."""
    global _state, _failure  # noqa: PLW0603 - a worker process has exactly one state, made once
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches every process: the parent is the one that talks
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _state = setup()
    except Exception as error:  # noqa: BLE001 - raised again by `_call`, in the parent
        _failure = error


def _end_with_parent() -> None:
    """A parent that is killed cannot stop its workers, and they would wait for its next unit for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _call(work: Callable[[Any, Unit], Result], unit: Unit) -> Result:
    if _failure is not None:
        raise _failure
    return work(_state, unit)
