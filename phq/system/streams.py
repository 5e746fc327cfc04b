"""Standard output and error that never end a command: whatever their encoding, and whoever stops reading them."""

from __future__ import annotations

import codecs
import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, cast

SPELLED = {
    "█": "#", "…": "...", "→": "->", "°": " deg", "±": "+-", "×": "x", "·": "*", "−": "-", "–": "-", "—": "-",
    "≤": "<=", "≥": ">=", "≈": "~", "σ": "sigma", "ψ": "psi", "γ": "gamma", "²": "^2", "³": "^3", "¼": "1/4",
    "½": "1/2",    "“": '"', "”": '"', "‘": "'", "’": "'",
}  # fmt: skip
"""What phq's own sentences hold beyond ASCII, as ASCII. Other characters, which are of names, become ``\\xe9`` or
``\\u0144``, from which the name can be told."""
_ERRORS = "phq.spelled"
_READER_GONE = (errno.EPIPE, errno.ESHUTDOWN, errno.EINVAL)
"""Of a pipe without a reader; EINVAL is what Windows says."""


def _spelled(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    text = "".join(SPELLED.get(c) or c.encode("ascii", "backslashreplace").decode("ascii") for c in letters)
    return text, error.end


codecs.register_error(_ERRORS, _spelled)


class _Lasting(io.RawIOBase):
    """The bytes of a stream; what comes after a failure is dropped."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.failure: OSError | None = None

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return int(self._raw.fileno())

    def isatty(self) -> bool:
        return bool(self._raw.isatty())

    def write(self, data: Any) -> int:
        while self.failure is None:
            try:
                written = self._raw.write(data)
            except OSError as error:
                self.failure = error
                break
            if written is not None:
                return int(written)
            with suppress(OSError, ValueError):  # a pipe that does not block, and is full
                select.select([], [self.fileno()], [], 1.0)
        return memoryview(data).nbytes


class Output:
    """The standard output and error of a command, while `lasting_output` is open."""

    def __init__(self, streams: dict[str, _Lasting]) -> None:
        self._streams = streams

    def lost(self) -> str | None:
        """A sentence if some of the standard output could not be written and its reader has not gone of itself."""
        sys.stdout.flush()
        raw = self._streams.get("stdout")
        if raw is None or raw.failure is None or raw.failure.errno in _READER_GONE:
            return None
        return f"the standard output is incomplete: {raw.failure.strerror}; everything else was done"


@contextmanager
def lasting_output() -> Iterator[Output]:
    """Let nothing that is printed inside the block raise an error.

    A character that the stream's encoding lacks is written in ASCII, see `SPELLED`; what is printed after a reader has
    gone (``| head``), or a disk is full, is dropped; a stream that was closed beforehand (``>&-``) becomes the null
    device, lest the next file that is opened receive what libraries print.
    """
    _fill_closed_descriptors()
    before = {name: getattr(sys, name) for name in ("stdout", "stderr")}
    raws = {}
    for name, stream in before.items():
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - closed with the process
        elif isinstance(stream, io.TextIOWrapper) and hasattr(stream, "buffer"):
            raws[name], lasting = _lasting(stream)
            setattr(sys, name, lasting)
    try:
        yield Output(raws)
    finally:
        for name, stream in before.items():
            getattr(sys, name).flush()
            setattr(sys, name, stream)


def _lasting(stream: io.TextIOWrapper) -> tuple[_Lasting, TextIO]:
    with suppress(OSError):
        stream.flush()
    raw = _Lasting(getattr(stream.buffer, "raw", stream.buffer))  # without buffer under PYTHONUNBUFFERED
    lasting = io.TextIOWrapper(
        io.BufferedWriter(raw), stream.encoding, _ERRORS, line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )  # fmt: skip
    return raw, cast(TextIO, lasting)


def _fill_closed_descriptors() -> None:
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
