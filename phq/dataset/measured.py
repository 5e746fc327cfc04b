"""A stream that counts the bytes written through it and computes their checksum."""

from __future__ import annotations

import hashlib
import io
from typing import Any, BinaryIO


class Measured(io.BufferedIOBase):
    """Writes to another stream, which stays open when this one is closed."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self.size = 0
        """Bytes so far."""

    @property
    def sha256(self) -> str:
        """Checksum of the bytes so far."""
        return self._digest.hexdigest()

    def writable(self) -> bool:
        """Always true."""
        return True

    def write(self, content: Any) -> int:
        """Write to the stream below."""
        view = memoryview(content).cast("B")
        self._stream.write(view)
        self._digest.update(view)
        self.size += len(view)
        return len(view)

    def tell(self) -> int:
        """Position of the next byte."""
        return self.size

    def flush(self) -> None:
        """Flush the stream below."""
        self._stream.flush()
