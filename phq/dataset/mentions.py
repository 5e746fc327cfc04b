"""Files that still name a sample that is gone, or hold its picture: by their path, their bytes, or packed."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

_CHUNK = 1 << 20
_PACKED: dict[bytes, Callable[[IO[bytes]], Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
"""First bytes of a compressed file → reader of its content."""
_ZIP, _PARQUET = b"PK\x03\x04", b"PAR1"
_DEEPEST = 3
"""Archives in archives that are opened."""
_KEY_DIGITS = 16
_BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, pa.ArrowException, RuntimeError, ValueError)
"""Errors of an archive or table that is damaged or encrypted: its bytes are searched as they are."""


class Search:
    """Looks for samples that are gone.

    A name counts where no letter, digit or ``_`` touches it, in UTF-8, UTF-16 and with JSON's escapes, in any case.

    Args:
        names: texts that must not be named: keys, paths, checksums, names of people.
        digests: sha256 of photos that are gone, and keys of pictures that are.
    """

    def __init__(self, names: Collection[str], digests: Collection[str]) -> None:
        plain = sorted({form for name in names for form in (name, json.dumps(name)[1:-1]) if name})
        wide = sorted({name.encode(code) for name in names if name for code in ("utf-16-le", "utf-16-be")})
        edges = [rb"(?<![0-9A-Za-z_])%s(?![0-9A-Za-z_])" % re.escape(form.encode()) for form in plain]
        patterns = [*edges, *map(re.escape, wide)]
        self._pattern = re.compile(b"|".join(patterns), re.IGNORECASE) if patterns else None
        self._longest = 2 + max((len(form) for form in (*(p.encode() for p in plain), *wide)), default=0)
        self._digests = frozenset(digests)

    def text(self, text: str) -> bool:
        """Whether a text names one of them."""
        return self._pattern is not None and self._pattern.search(text.encode()) is not None

    def file(self, folder: Path, name: str) -> bool:
        """Whether a file names one of them in its path or its content, or is a copy of one; true if it cannot be read.

        Args:
            folder: of the dataset.
            name: path of the file inside it.
        """
        if self.text(name):
            return True
        path = folder / name
        if not path.is_file():
            return False
        try:
            with path.open("rb") as stream:
                return self._stream(stream, 0)
        except OSError:
            return True

    def _stream(self, stream: IO[bytes], depth: int) -> bool:
        head = stream.read(len(_ZIP) + 2)
        stream.seek(0)
        with _broken_passed():
            if depth < _DEEPEST and self._packed(stream, head, depth):
                return True
        stream.seek(0)
        return self._plain(stream)

    def _packed(self, stream: IO[bytes], head: bytes, depth: int) -> bool:
        if head.startswith(_ZIP):
            with zipfile.ZipFile(stream) as archive:
                return any(self.text(name) or self._member(archive, name, depth) for name in archive.namelist())
        if head.startswith(_PARQUET):
            return any(self.text(text) for text in _texts(pq.ParquetFile(stream)))
        for start, unpack in _PACKED.items():
            if head.startswith(start):
                with unpack(stream) as content:
                    return self._stream(content, depth + 1)
        return False

    def _member(self, archive: zipfile.ZipFile, name: str, depth: int) -> bool:
        with archive.open(name) as stream:
            return self._stream(stream, depth + 1)

    def _plain(self, stream: IO[bytes]) -> bool:
        digest, rest = hashlib.sha256(), b""
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            if self._pattern is not None and self._pattern.search(rest + chunk):
                return True
            rest = (rest + chunk)[-self._longest :]
        whole = digest.hexdigest()
        return not self._digests.isdisjoint((whole, whole[:_KEY_DIGITS]))


@contextmanager
def _broken_passed() -> Iterator[None]:
    try:
        yield
    except _BROKEN:
        pass
    except OSError as error:
        if error.errno is not None:  # of the disk; gzip and bz2 name no number
            raise


def _texts(file: pq.ParquetFile) -> Iterator[str]:
    """All texts of a table: metadata, and columns of text, a group of rows at a time."""
    for key, value in (file.schema_arrow.metadata or {}).items():
        yield (key + b"\n" + value).decode(errors="replace")
    names = [field.name for field in file.schema_arrow if pa.types.is_string(field.type)]
    for group in range(file.num_row_groups if names else 0):
        for column in file.read_row_group(group, names, use_threads=False).columns:
            yield "\n".join(text for text in column.unique().to_pylist() if text)
