"""``reviews/marks.jsonl``: every action of every reviewer, one a line, flushed before it is confirmed.

The file only grows. A line that was not confirmed may be incomplete after a kill or a full disk; the next writer cuts
it off. ``reviews/lock`` keeps a second writer out.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from phq.dataset.folder import MARKS_LOG, REVIEWS
from phq.dataset.marks import Action, Marks, is_time
from phq.errors import InputError
from phq.system.atomic import output_errors, sync_folder
from phq.system.locking import alone_in

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)


def read_log(folder: Path) -> list[Action]:
    """Actions in the log of a dataset; none if it was never reviewed.

    Raises:
        InputError: the log cannot be read or is damaged, with the line.
    """
    path = folder / MARKS_LOG
    try:
        content = path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    return list(_parsed(path, content[: _whole(content)]))


def _whole(content: bytes) -> int:
    """Bytes up to the end of the last whole line."""
    return content.rfind(b"\n") + 1


def _parsed(path: Path, content: bytes) -> Iterator[Action]:
    last = 0
    for number, line in enumerate(content.splitlines(), 1):
        try:
            action = _action(json.loads(line))
            if action.seq <= last:
                raise ValueError(f"action {action.seq} comes after {last}")
        except (ValueError, KeyError, TypeError, InputError) as error:
            raise InputError(f"{path} is damaged in line {number}: {error}") from error
        last = action.seq
        yield action


def _action(record: Any) -> Action:
    if not isinstance(record, dict):
        raise ValueError("it is not a JSON object")
    action = Action(**record | {"keys": tuple(record.get("keys", ()))}).checked()
    if not isinstance(action.seq, int) or not is_time(action.time) or not all(isinstance(k, str) for k in action.keys):
        raise ValueError("its number, time or keys are invalid")
    return action


def to_line(action: Action) -> bytes:
    """An action as it is stored, without empty fields."""
    record = {name: value for name, value in asdict(action).items() if value}
    return _line(record)


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def without_keys(content: bytes, keys: Collection[str]) -> bytes:
    """A log without some samples; an action on no others is removed.

    Args:
        content: bytes of the log.
        keys: samples that must not be named.
    """
    lines = []
    for line in content[: _whole(content)].splitlines(keepends=True):
        record = json.loads(line)
        left = [key for key in record.get("keys", ()) if key not in keys]
        if left == record.get("keys", []):
            lines.append(line)
        elif left:
            lines.append(_line(record | {"keys": left}))
    return b"".join(lines)


def utc_now() -> str:
    """The time, to the millisecond."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


class MarkLog:
    """The log, opened for writing, and the marks after it. Safe to use from several threads; see `open_log`."""

    def __init__(self, folder: Path, clock: Callable[[], str] = utc_now) -> None:
        self.path = folder / MARKS_LOG
        self.marks = Marks(read_log(folder))
        self._clock = clock
        self._lock = threading.Lock()
        new = not self.path.exists()
        self._handle = os.open(self.path, _FLAGS, 0o644)
        self._size = _whole(self.path.read_bytes())
        os.ftruncate(self._handle, self._size)
        if new:
            sync_folder(self.path.parent)
            sync_folder(folder)

    def close(self) -> None:
        """Close the file; everything is already flushed."""
        os.close(self._handle)

    def mark(
        self, reviewer: str, mark: str, reason: str, keys: Collection[str], tag: str = ""
    ) -> tuple[Action, tuple[str, ...]]:
        """Mark or tag samples and flush the action to the disk; return it and the keys that it touches.

        Raises:
            InputError: see `phq.dataset.marks.Action.checked`.
            OutputError: it cannot be written, and is not applied.
        """
        with self._lock:
            return self._append(Action(0, "", reviewer, mark, reason, tuple(keys), tag=tag))

    def undo(self, reviewer: str) -> tuple[Action | None, tuple[str, ...]]:
        """Undo the newest action of a reviewer; None if there is none.

        Raises:
            OutputError: see `mark`.
        """
        with self._lock:
            last = self.marks.last_of(reviewer)
            return self._append(Action(0, "", reviewer, undo=last.seq)) if last else (None, ())

    def redo(self, reviewer: str) -> tuple[Action | None, tuple[str, ...]]:
        """Repeat the action that a reviewer has undone last; None if there is none, or something new was done since.

        Raises:
            OutputError: see `mark`.
        """
        with self._lock:
            last = self.marks.undone_of(reviewer)
            return self._append(replace(last, redo=last.seq)) if last else (None, ())

    def _append(self, action: Action) -> tuple[Action, tuple[str, ...]]:
        action = replace(action.checked(), seq=self.marks.seq + 1, time=self._clock())
        line = to_line(action)
        with output_errors(self.path):
            try:
                self._write(line)
            except OSError:
                os.ftruncate(self._handle, self._size)
                raise
        self._size += len(line)
        return action, self.marks.apply(action)

    def _write(self, line: bytes) -> None:
        while line:
            line = line[os.write(self._handle, line) :]
        os.fsync(self._handle)


def _busy(folder: Path) -> str:
    return f"another phq review is open on {folder}: use its link, or stop it first"


@contextmanager
def no_review(folder: Path) -> Iterator[None]:
    """Prevent reviews of a dataset until the end of the block, so that its log can be rewritten.

    Raises:
        OutputError: a review is open.
    """
    if not (folder / REVIEWS).is_dir():
        yield
        return
    with alone_in(folder / REVIEWS, _busy(folder)):
        yield


@contextmanager
def open_log(folder: Path, clock: Callable[[], str] = utc_now) -> Iterator[MarkLog]:
    """The log of a dataset, locked for other processes until the end of the block.

    Args:
        folder: the dataset.
        clock: returns the time of an action.

    Raises:
        OutputError: another process has it open, or it cannot be written.
        InputError: it is damaged.
    """
    with alone_in(folder / REVIEWS, _busy(folder)):
        with output_errors(folder / MARKS_LOG):
            log = MarkLog(folder, clock)
        try:
            yield log
        finally:
            log.close()
