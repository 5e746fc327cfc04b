"""What happens in a run, for machines: one JSON object a line."""

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
    """Appends to a stream, or to nothing."""

    def __init__(self, stream: TextIO | None = None, path: Path | None = None) -> None:
        self._stream, self._path = stream, path or Path("the log")

    def write(self, event: str, **fields: Any) -> None:
        """One line with the time (UTC), the event and its fields, at once in the file.

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
    """A log in a file, to which runs are appended, on the standard output (``-``), or nowhere.

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
        try:  # errors of the run are not the log's
            yield RunLog(stream, path)
        finally:
            with suppress(OSError):  # every line is flushed as it is written: one that could not be has been told of
                stream.close()
