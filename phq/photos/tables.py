"""Rows of image tables: Parquet files as img2dataset and Hugging Face write them."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from phq.errors import RejectError
from phq.photos.colour import Colour
from phq.photos.decode import Decoded, read_file
from phq.photos.entry import as_photo_reject, decode_entry, version_of
from phq.system.atomic import raise_disk_failure
from phq.system.retrying import retried

SUFFIXES = (".parquet",)
MAGIC = b"PAR1"
_BATCH = 16
"""Rows read at a time: pictures of some megabytes each."""
_BUFFER = 1 << 20
"""Bytes read at a time; without a limit Arrow holds a whole row group."""
_OPEN_FILES = 4
_NAMES = ("image", "jpg", "jpeg", "png", "webp", "img", "picture", "photo", "image_bytes", "bytes")
"""Columns that hold pictures, the likeliest first."""
_PATHS = (*_NAMES, "image_path", "path", "file_name", "filename", "filepath", "file")
_URLS = ("url", "image_url", "img_url")
_DATA_URL = re.compile(r"data:image/[-+.\w]+;base64,")
_BASE64 = re.compile(r"(/9j/|iVBORw0KGgo|UklGR|R0lGOD)[A-Za-z0-9+/\s]{60,}=*\s*")
"""Begins as JPEG, PNG, WebP and GIF do; a path has a dot."""
NO_URLS = "its pictures are URLs ({}), and phq downloads nothing: fetch them first, for example with img2dataset"


@dataclass(frozen=True)
class Column:
    """The column of a table that the pictures are in."""

    name: str
    kind: Literal["struct", "bytes", "path"]
    """A struct of bytes and path, the bytes alone, text: a path, or a picture in base64."""


@dataclass(frozen=True)
class TableRow:
    """A row of a table."""

    column: Column
    group: int
    """Number of the row group."""
    row: int
    """Number in it."""

    def decode(self, file: Path, max_pixels: int, background: Colour, max_bytes: int) -> Decoded:
        """See `phq.photos.entry.Entry`."""
        try:
            data = _picture(file, self, max_bytes)
        except RejectError as error:
            raise as_photo_reject(error) from error
        return decode_entry(data, max_pixels, background)

    def sha256(self, file: Path) -> str:
        """See `phq.photos.entry.Entry`."""
        try:
            return hashlib.sha256(_picture(file, self, None)).hexdigest()
        except RejectError:
            return ""


def list_table(file: Path) -> list[TableRow]:
    """The rows of a table, in order.

    Raises:
        RejectError: not_an_image (there are no pictures in it), unsupported_format (URLs) or corrupt.
        OutputError: the disk fails.
    """
    try:
        table = _open(file)
        column = picture_column(table.schema_arrow)
        sizes = [table.metadata.row_group(group).num_rows for group in range(table.num_row_groups)]
    except (pa.ArrowException, OSError, ValueError) as error:
        raise_disk_failure(error)
        raise RejectError("corrupt", f"a damaged Parquet file: {_first_line(error)}") from error
    return [TableRow(column, group, row) for group, size in enumerate(sizes) for row in range(size)]


def picture_column(schema: pa.Schema) -> Column:
    """The column with the pictures: one that `datasets` declares an image, a struct of bytes and path, bytes or paths
    under a usual name; of several the likeliest name, else the first.

    Raises:
        RejectError: unsupported_format (a column of URLs alone) or not_an_image.
    """
    declared = _declared(schema)
    kinds = [(field.name, _kind(field.name, field.type, field.name in declared)) for field in schema]
    for kind in ("struct", "bytes", "path"):
        names = [name for name, its in kinds if its == kind]
        if names:
            order = [*(name for name in declared if name in names), *sorted(names, key=_likeliest)]
            return Column(order[0], kind)
    if lists := [field.name for field in schema if _holds_lists(field.type)]:
        raise RejectError("unsupported_format", f"lists of pictures (column {lists[0]!r}); write one picture a row")
    if urls := [name for name in schema.names if name.lower() in _URLS]:
        raise RejectError("unsupported_format", NO_URLS.format(f"column {urls[0]!r}"))
    raise RejectError("not_an_image", f"a table without a column of pictures; it has {', '.join(schema.names)}")


def _declared(schema: pa.Schema) -> list[str]:
    """Columns that the library `datasets` says are images."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return [name for name, feature in features.items() if feature.get("_type") == "Image" and name in schema.names]
    except (KeyError, ValueError, TypeError, AttributeError):
        return []


def _likeliest(name: str) -> int:
    return _PATHS.index(name.lower()) if name.lower() in _PATHS else len(_PATHS)


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _holds_lists(kind: pa.DataType) -> bool:
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    return bool(is_list and _kind("", kind.value_type, declared=_is_bytes(kind.value_type)))


def _kind(name: str, kind: pa.DataType, declared: bool) -> str:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_struct(kind):
        fields = {field.name: field.type for field in kind}
        return "struct" if "path" in fields and _is_bytes(fields.get("bytes", pa.null())) else ""
    if _is_bytes(kind):
        return "bytes" if declared or name.lower() in _NAMES else ""
    return "path" if _is_text(kind) and (declared or name.lower() in _PATHS) else ""


class _Rows:
    """Values of one column of a row group, read forwards a few at a time; a step back begins again."""

    def __init__(self, file: Path, column: Column, group: int) -> None:
        self._file, self._column, self._group = file, column, group
        self._restart()

    def _restart(self) -> None:
        self._start, self._batch = 0, pa.array([])
        batches = _open(self._file).iter_batches(_BATCH, row_groups=[self._group], columns=[self._column.name])
        self._batches: Iterator[pa.RecordBatch] = iter(batches)

    def at(self, row: int) -> Any:
        """The value of a row."""
        if row < self._start:
            self._restart()
        try:
            while row >= self._start + len(self._batch):
                self._start += len(self._batch)
                self._batch = next(self._batches).column(0)
        except Exception:
            self._restart()
            raise
        return self._batch[row - self._start].as_py()


@lru_cache(_OPEN_FILES)
def _open_table(file: Path, version: object) -> pq.ParquetFile:
    return pq.ParquetFile(file.open("rb"), pre_buffer=False, buffer_size=_BUFFER)


def _open(file: Path) -> pq.ParquetFile:
    return _open_table(file, version_of(file))


@lru_cache(_OPEN_FILES)
def _rows(file: Path, version: object, column: Column, group: int) -> _Rows:
    return _Rows(file, column, group)


def _picture(file: Path, where: TableRow, max_bytes: int | None) -> bytes:
    try:
        value = retried(str(file), lambda: _rows(file, version_of(file), where.column, where.group).at(where.row))
    except FileNotFoundError:  # `Found` says so, of every kind of entry
        raise
    except (pa.ArrowException, OSError, StopIteration) as error:
        _rows.cache_clear()
        raise RejectError("corrupt", f"damaged in its table: {_first_line(error)}") from error
    held = value if isinstance(value, dict) else {("path" if where.column.kind == "path" else "bytes"): value}
    data, path = held.get("bytes"), held.get("path")
    if data is None:
        return _beside(file, path)
    if max_bytes is not None and len(data) > max_bytes:
        raise RejectError("file_too_large", f"the limit is {max_bytes} bytes")
    return bytes(data)


def _beside(file: Path, path: str | None) -> bytes:
    """The picture that a table names, relative to the table's folder."""
    if not path:
        raise RejectError("missing_file", "its row of the table holds no picture")
    if head := _DATA_URL.match(path):
        return _decoded_base64(path[head.end() :])
    if _BASE64.fullmatch(path):
        return _decoded_base64(path)
    if "://" in path:
        raise RejectError("unsupported_format", NO_URLS.format("such as this row's"))
    return read_file(file.parent / path)


def _decoded_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except ValueError as error:
        raise RejectError("corrupt", f"damaged base64 in its table: {error}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
