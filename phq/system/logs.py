"""Machine-readable log of a run: one JSON object a line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TextIO

from phq.system.atomic import output_errors

STDOUT = "-"


class RunLog:
    """Appends events to a stream; without one it does nothing."""

    def __init__(self, stream: TextIO | None = None, path: Path | None = None) -> None:
        self._stream, self._path = stream, path or Path("the log")

    def write(self, event: str, **fields: Any) -> None:
        """Write one line with the time (UTC), the event and its fields, and flush it.

        Raises:
            OutputError: see `phq.system.atomic.output_errors`.
        """
        if self._stream is not None:
            time = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
            with output_errors(self._path):
                print(json.dumps({"time": time, "event": event, **fields}), file=self._stream, flush=True)


SILENT = RunLog()


@contextmanager
def opened_log(where: str | None) -> Iterator[RunLog]:
    """A log that is appended to a file, or written to standard output (``-``) or nowhere (None).

    Raises:
        OutputError: the file cannot be opened.
    """
    if where is None:
        yield SILENT
    elif where == STDOUT:
        yield RunLog(sys.stdout)
    else:
        path = Path(where)
        with output_errors(path):
            stream = path.open("a", encoding="utf-8")
        try:  # an error of the run is not one of the log
            yield RunLog(stream, path)
        finally:
            with suppress(OSError):  # every line was flushed when written, and a failure reported then
                stream.close()
