"""What happens in a run, for machines: one JSON object a line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TextIO

from phq.shards.atomic import output_errors

STDOUT = "-"


class RunLog:
    """Appends to a stream, or to nothing."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def write(self, event: str, **fields: Any) -> None:
        """One line with the time (UTC), the event and its fields, at once in the file."""
        if self._stream is not None:
            time = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
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
        with output_errors(Path(where)), Path(where).open("a", encoding="utf-8") as stream:
            yield RunLog(stream)
