"""A stream that knows how much has gone through it, and its checksum."""

from __future__ import annotations

import hashlib
import io
from typing import Any, BinaryIO


class Measured(io.BufferedIOBase):
    """Passes bytes on to a stream; closing it leaves that one open."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self.size = 0
        """Bytes so far."""

    @property
    def sha256(self) -> str:
        """Of the bytes so far."""
        return self._digest.hexdigest()

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, content: Any) -> int:
        """Pass on."""
        view = memoryview(content).cast("B")
        self._stream.write(view)
        self._digest.update(view)
        self.size += len(view)
        return len(view)

    def tell(self) -> int:
        """Where the next byte goes."""
        return self.size

    def flush(self) -> None:
        """Of the stream below."""
        self._stream.flush()
