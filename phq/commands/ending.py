"""How commands end: exit codes, and what Ctrl-C leaves behind."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from functools import wraps
from types import FrameType
from typing import Any

import typer

from phq.commands.output import echo


class ExitCode(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    FOUND = 1
    """The command worked and found something wrong: a broken rule of the format, a damaged file, a violation."""
    REFUSED = 2
    """A mistake in the command line, configuration or input, or a missing file, package or permission."""
    BUG = 70
    """An error in phq itself, with a traceback; EX_SOFTWARE of sysexits.h."""
    STOPPED = 130
    """Ctrl-C or SIGTERM: 128 + SIGINT."""


class Found(typer.Exit):
    """The end of a command by `ExitCode.FOUND`.

    Args:
        facts: for `phq.commands.next_step`, beside the options of the command.
    """

    def __init__(self, **facts: object) -> None:
        super().__init__(ExitCode.FOUND)
        self.facts = facts


CONTINUES = "what is finished is kept, and the same command continues from there"
RESTARTS = "the new dataset is incomplete, and the same command starts again from the beginning"
TRAINING = "the run is as its last checkpoint left it, and continues from there with --resume"
WHOLE_CHANGE = "the dataset has either the whole change or nothing of it"
WHOLE_FILES = "each file is either complete or as it was before"
ABSENT = "nothing of it was written, and the same command starts again from the beginning"
REPAIRS = "nothing was changed but by repairs, each of which is either complete or was not made"
UNCHANGED = "nothing was changed"
_REPEATED = (CONTINUES, RESTARTS, ABSENT)
"""Sentences that the command line follows, to be copied."""

Command = Callable[..., Any]
"""What it returns is for `phq.commands.next_step` alone."""


def interruptible(stopped: str) -> Callable[[Command], Command]:
    """Let Ctrl-C and SIGTERM end a command with a sentence and `ExitCode.STOPPED`, and errors of a disk with one too.

    Args:
        stopped: what is true of the command's results when it is stopped at any moment.
    """

    def decorate(command: Command) -> Command:
        @wraps(command)
        def wrapped(*args: Any, **options: Any) -> Any:
            from phq.system.atomic import disk_errors_explained  # retries and more: not for --help

            try:
                with _termination_as_interrupt():
                    return disk_errors_explained(command)(*args, **options)
            except KeyboardInterrupt:
                again = f":\n  {shlex.join(['phq', *sys.argv[1:]])}" if stopped in _REPEATED else ""
                echo(f"phq: stopped; {stopped}{again}", err=True)
                raise typer.Exit(ExitCode.STOPPED) from None

        return wrapped

    return decorate


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
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
