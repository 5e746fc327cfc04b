"""The location of a dataset, a folder or any URL of fsspec, read by file name, offset and size."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from phq.errors import InputError, MissingExtraError
from phq.system.place import is_url
from phq.system.retrying import check_length, retried

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_CAN_PREAD = hasattr(os, "pread")  # not on Windows
_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0)


class _Descriptor:
    """An open file, closed when neither the cache nor a thread holds it any more."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._lock = threading.Lock()

    def read(self, size: int, offset: int) -> bytes:
        if _CAN_PREAD:  # has no position, so threads and forked processes do not disturb each other
            return os.pread(self.fd, size, offset)
        with self._lock:
            os.lseek(self.fd, offset, os.SEEK_SET)
            return os.read(self.fd, size)

    def __del__(self) -> None:
        os.close(self.fd)


def _descriptor(path: str) -> _Descriptor:
    return _Descriptor(os.open(path, _FLAGS))


def _most_open_files() -> int:
    """A quarter of the files that the process may open, at most 1,024; with the usual limit of 1,024, 256 shards."""
    try:
        import resource
    except ImportError:  # Windows
        return 256
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 1024 if allowed == resource.RLIM_INFINITY else max(8, min(1024, allowed // 4))


class Root:
    """A dataset's folder, local or remote.

    Safe to use from several threads, after a fork, and pickled (it opens its files again). At most a quarter of
    the files a process may open are kept open.

    Args:
        where: a folder, or a URL of any file system fsspec knows (``https://…``, ``s3://…``, ``hf://…``).
        staged: folder with new files of the same names, which are read in place of those in `where`.

    Raises:
        InputError: fsspec does not know such a file system, or needs another package for it.
        MissingExtraError: the path is a URL and fsspec is not installed.
    """

    def __init__(self, where: str | Path, staged: Path | None = None) -> None:
        self.where = str(where)
        self.staged = staged
        local = Path(where).absolute() if not is_url(where) else _local_folder(self.where)
        self.local: Path | None = local
        """The folder; None if it is not on a file system of this machine."""
        self._prefix = f"{local}{os.sep}"
        self._reset()

    def _path(self, name: str) -> str:
        if self.staged is not None and (self.staged / name).exists():
            return str(self.staged / name)
        return self._prefix + name

    def _reset(self) -> None:
        self._descriptors: Callable[[str], _Descriptor] = lru_cache(_most_open_files())(_descriptor)
        self._remote: tuple[int, AbstractFileSystem, str] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"where": self.where, "staged": self.staged, "local": self.local, "_prefix": self._prefix}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._reset()

    def __repr__(self) -> str:
        return f"Root({self.where!r})"

    def _file_system(self) -> tuple[AbstractFileSystem, str]:
        """fsspec's file system, one per process since its event loop does not survive a fork, and the folder in it."""
        if self._remote is None or self._remote[0] != os.getpid():
            self._remote = (os.getpid(), *_open_url(self.where))
        return self._remote[1:]

    def read(self, name: str, offset: int = 0, size: int | None = None) -> bytes:
        """Bytes of a file or a part of it; no more is read or downloaded.

        Args:
            name: path inside the dataset, with forward slashes.
            offset: first byte.
            size: number of bytes, None for all to the end; fewer are returned if the file ends before.

        Raises:
            InputError: there is no such file, or it cannot be read.
        """
        if self.local is None:
            return self._read_remote(name, offset, size)
        if size is None:
            with self.open(name) as stream, self._errors(name):
                stream.seek(offset)
                return stream.read()
        try:
            return self._descriptors(self._path(name)).read(size, offset)
        except OSError as error:
            raise self._failure(name, error) from error

    def _read_remote(self, name: str, offset: int, size: int | None) -> bytes:
        fs, folder = self._file_system()
        if size == 0:
            return b""
        end = None if size is None else offset + size
        path = f"{folder}/{name}"

        def request() -> bytes:
            content: bytes = fs.cat_file(path, start=offset or None, end=end)
            check_length(fs, path, offset, end, len(content))
            return content

        with self._errors(name):
            content = retried(f"{name} of {self.where}", request)
        if size is not None and len(content) > size:
            raise InputError(f"the server of {self.where} sends whole files where a part is asked for (no HTTP ranges)")
        return content

    def open(self, name: str) -> BinaryIO:
        """A seekable stream that reads or downloads only what is asked for.

        Raises:
            InputError: there is no such file, or it cannot be read.
        """
        if self.local is not None:
            with self._errors(name):
                return Path(self._path(name)).open("rb")
        fs, folder = self._file_system()
        with self._errors(name):
            what, path = f"{name} of {self.where}", f"{folder}/{name}"
            stream: BinaryIO = retried(what, lambda: fs.open(path, "rb", cache_type="none"))
            return stream

    def read_ranges(self, name: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Several parts of a file, each given as (start, end); those of a remote file are fetched concurrently.

        Raises:
            InputError: there is no such file, it ends before, or it cannot be read.
        """
        if self.local is not None:
            parts = [self.read(name, start, end - start) for start, end in ranges]
        else:
            fs, folder = self._file_system()
            starts, ends = [start for start, _ in ranges], [end for _, end in ranges]
            path = f"{folder}/{name}"

            def request() -> list[bytes]:
                found: list[bytes] = fs.cat_ranges([path] * len(ranges), starts, ends, on_error="raise")
                for start, end, part in zip(starts, ends, found, strict=True):
                    check_length(fs, path, start, end, len(part))
                return found

            with self._errors(name):
                parts = retried(f"{name} of {self.where}", request)
        if any(len(part) != end - start for part, (start, end) in zip(parts, ranges, strict=True)):
            raise InputError(f"{name} of {self.where} is cut off, or was replaced while it was read")
        return parts

    def exists(self, name: str) -> bool:
        """Whether there is a file or folder of that name."""
        if self.local is not None:
            return Path(self._path(name)).exists()
        fs, folder = self._file_system()
        with self._errors(name):
            return retried(f"{name} of {self.where}", lambda: bool(fs.exists(f"{folder}/{name}")))

    @contextmanager
    def _errors(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # the file systems of fsspec raise their own errors, which have no common base
            raise self._failure(name, error) from error

    def _failure(self, name: str, error: Exception) -> InputError:
        if isinstance(error, (FileNotFoundError, NotADirectoryError)):
            return InputError(f"{self.where} has no file {name}")
        return InputError(f"cannot read {name} of {self.where}: {getattr(error, 'strerror', None) or error}")


def _open_url(url: str) -> tuple[AbstractFileSystem, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise MissingExtraError("fsspec", "remote", f"reading {url}") from None
    try:
        fs, folder = url_to_fs(url)
    except (ImportError, ValueError) as error:  # their messages name the package, or the unknown protocol
        raise InputError(f"cannot read {url}: {error}") from error
    return fs, str(folder).rstrip("/")


def _local_folder(url: str) -> Path | None:
    """The folder of a ``file://`` URL, None for every other URL."""
    if not url.startswith(("file://", "local://")):
        return None
    return Path(_open_url(url)[1]).absolute()
