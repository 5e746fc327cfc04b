"""Ctrl-C and SIGTERM: a clean end, and a sentence about how to go on."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

STOPPED = 130
"""Exit code of a command that was stopped: 128 + SIGINT."""


@contextmanager
def told_when_stopped() -> Iterator[None]:
    """Being stopped is a sentence and exit code `STOPPED`; inside a command, since Typer itself would end it without a
    word."""
    try:
        with _termination_is_interruption():
            yield
    except KeyboardInterrupt:
        again = shlex.join(["phq", *sys.argv[1:]])
        text = f"phq: stopped; what is finished is kept, and the same command continues from there:\n  {again}"
        typer.echo(text, err=True)
        raise typer.Exit(STOPPED) from None


@contextmanager
def _termination_is_interruption() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # only there can signals be handled
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
