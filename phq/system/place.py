"""Output paths: a folder, or any URL that fsspec can write to, both with the interface of `pathlib`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

from phq.errors import MissingExtraError, OutputError


def is_url(where: str | Path) -> bool:
    """Whether this is a URL of fsspec and not a path on this machine.

    A chain such as ``zip::/a.zip`` begins with a protocol; a file or folder that is there is a path, ``::`` or not.
    """
    if not isinstance(where, str) or "://" in where:
        return isinstance(where, str) and not ("::" in where and os.path.lexists(where))
    first, chained, _ = where.partition("::")
    return bool(chained) and first.isalnum() and not os.path.lexists(where)


def is_remote(path: Path) -> bool:
    """Whether a path returned by `place` is on a file system of fsspec."""
    return not isinstance(path, Path)


def place(where: str | Path) -> Path:
    """A path on this machine, or for a URL an object with the same interface (`upath.UPath`).

    Listings are never cached, since other machines may write to the same folder.

    Raises:
        MissingExtraError: it is a URL, and the extra is not installed.
        OutputError: fsspec does not know this kind of URL, or needs another package for it.
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
    except (ImportError, ValueError) as error:  # their messages name the package, or the unknown protocol
        raise OutputError(f"cannot use {where}: {error}") from error
    if found.protocol in ("", "file", "local"):
        return Path(found.path)
    return cast(Path, found)


def file_system(path: Path) -> tuple[Any, str]:
    """fsspec's file system of a remote path, and the path in it."""
    remote = cast(Any, path)
    return remote.fs, str(remote.path)


def is_of_server(error: Exception) -> bool:
    """Whether an error comes from a file system of fsspec; not all of them raise `OSError`."""
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in _SERVERS


_SERVERS = ("aiobotocore", "aiohttp", "botocore", "fsspec", "gcsfs", "adlfs", "s3fs")
