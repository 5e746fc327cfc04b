"""Downloaded weights in the cache: fetched once, checked before each use."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

from phq.errors import WeightError
from phq.system.atomic import disk_errors_explained, output_errors, sync_folder
from phq.system.sizes import say_size, size_text
from phq.weights.catalogue import Remote, remote
from phq.weights.digest import sha256_of, sha256_once
from phq.weights.download import download

HERE, MISSING, DAMAGED = "here", "not pulled", "damaged"


@dataclass(frozen=True)
class Pulled:
    """What `pull` did."""

    entry: Remote
    path: Path
    downloaded: bool
    """False: it was there already."""


def offline() -> bool:
    """Whether ``PHQ_OFFLINE`` forbids connections: set, and not to 0."""
    return os.environ.get("PHQ_OFFLINE", "0").strip() not in ("", "0")


def cache_folder() -> Path:
    """``PHQ_CACHE``, or phq's folder among the user's caches."""
    stated = os.environ.get("PHQ_CACHE")
    return Path(stated).expanduser() if stated else user_cache_path("phq", appauthor=False)


def weights_folder() -> Path:
    """Folder of the downloaded weights, one file each."""
    return cache_folder() / "weights"


def path_of(entry: Remote) -> Path:
    """Path of a file in the cache, whether or not it is there."""
    return weights_folder() / entry.file


def state_of(entry: Remote) -> str:
    """`HERE`, `MISSING` or `DAMAGED`, by its bytes."""
    path = path_of(entry)
    if not path.is_file():
        return MISSING
    return HERE if sha256_of(path) == entry.sha256 else DAMAGED


def weights_path(name: str) -> Path:
    """Path of downloaded weights whose bytes are the expected ones; nothing is ever downloaded here.

    Raises:
        WeightError: no such weights, they are not pulled, or the file has other bytes.
    """
    entry = remote(name)
    path = path_of(entry)
    if not path.is_file():
        about = f"{size_text(entry.size)}, {entry.licence}"
        raise WeightError(f"the weights {name} ({about}) are not here: phq weights pull {name}")
    if (actual := sha256_once(path)) != entry.sha256:
        raise WeightError(f"{path} has sha256 {actual}, expected {entry.sha256}: phq weights pull {name}")
    return path


def addresses(entry: Remote) -> list[str]:
    """URLs of a file: in the folders of ``PHQ_MIRROR`` (URLs, spaces or commas between), then its own."""
    mirrors = re.split(r"[\s,]+", os.environ.get("PHQ_MIRROR", "").strip())
    return [*(f"{mirror.rstrip('/')}/{entry.file}" for mirror in mirrors if mirror), entry.url]


@disk_errors_explained
def pull(name: str, connect: bool | None = None, quiet: bool = True) -> Pulled:
    """Bring weights into the cache, unless they are there and sound.

    Two processes that want the same file take turns: the second finds it there.

    Args:
        name: as in ``phq weights list``.
        connect: False forbids connections; None leaves it to ``PHQ_OFFLINE``.
        quiet: no progress bar.

    Raises:
        WeightError: unknown, not available, not the expected bytes, or offline.
        OutputError: the cache cannot be written.
    """
    entry = remote(name)
    path = path_of(entry)
    with turn(entry):
        if state_of(entry) == HERE:
            return Pulled(entry, path, downloaded=False)
        if offline() if connect is None else not connect:
            raise WeightError(
                f"the weights {name} are not here, and phq is offline; where there is a network, run "
                f"'phq weights pull {name}', then copy {entry.file} into {weights_folder()}"
            )
        part = path.with_name(path.name + ".part")
        say_size(f"downloading {name}", entry.size, quiet)
        download(addresses(entry), part, entry.size, entry.sha256, quiet)
        with output_errors(path):
            part.replace(path)
            sync_folder(path.parent)
    return Pulled(entry, path, downloaded=True)


@contextmanager
def turn(entry: Remote) -> Iterator[None]:
    """For the block, no other process changes this file of the cache; waits for its turn.

    Raises:
        OutputError: the cache cannot be written.
    """
    path = path_of(entry)
    lock = FileLock(path.with_name(path.name + ".lock"))
    with output_errors(Path(lock.lock_file)):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
