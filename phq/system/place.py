"""Where output goes: a folder, or any URL that fsspec can write to, both behind the interface of `pathlib`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from phq.errors import MissingExtraError, OutputError


def is_url(where: str | Path) -> bool:
    """Whether this names something of fsspec's and not a path of this machine."""
    return isinstance(where, str) and ("://" in where or "::" in where)


def is_remote(path: Path) -> bool:
    """Whether a path of `place` lies on a file system of fsspec's."""
    return not isinstance(path, Path)


def place(where: str | Path) -> Path:
    """A path for a folder of this machine, and for a URL what behaves like one (a `upath.UPath`).

    Listings are never cached: other machines write to the same place.

    Raises:
        MissingExtraError: it is a URL, and the extra is not installed.
        OutputError: fsspec knows no such URL, or needs another package for it.
    """
    if not is_url(where):
        return Path(where)
    try:
        from upath import UPath
    except ImportError:
        raise MissingExtraError("universal-pathlib", "remote", f"reaching {where}") from None
    try:
        found = UPath(where, use_listings_cache=False)
        assert found.fs  # made on demand: here it may fail
    except (ImportError, ValueError) as error:  # their sentences say which package, or that there is no such kind
        raise OutputError(f"cannot use {where}: {error}") from error
    if found.protocol in ("", "file", "local"):
        return Path(found.path)
    return cast(Path, found)


def file_system(path: Path) -> tuple[Any, str]:
    """fsspec's file system of a remote path, and the path in it."""
    remote = cast(Any, path)
    return remote.fs, str(remote.path)


def is_of_server(error: Exception) -> bool:
    """Whether an error comes from a file system of fsspec's, not all of which raise `OSError`."""
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in _SERVERS


_SERVERS = ("aiobotocore", "aiohttp", "botocore", "fsspec", "gcsfs", "adlfs", "s3fs")
