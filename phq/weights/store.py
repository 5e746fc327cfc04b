"""Downloaded weights in the cache: fetched once, checked before each use."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from phq.errors import WeightError
from phq.system.atomic import output_errors, sync_folder
from phq.weights.catalogue import Remote, remote
from phq.weights.digest import sha256_of, sha256_once
from phq.weights.download import Wanted, discard, download
from phq.weights.pins import expected_sha256, pin, weights_folder

HERE, MISSING, DAMAGED = "here", "not pulled", "damaged"


@dataclass(frozen=True)
class Pulled:
    """What `pull` did."""

    entry: Remote
    path: Path
    downloaded: bool
    """False: it was there already."""
    pinned_now: bool
    """It came for the first time and has no registered checksum: the one of these bytes is pinned."""


def offline() -> bool:
    """Whether ``PHQ_OFFLINE`` forbids connections: set, and not to 0."""
    return os.environ.get("PHQ_OFFLINE", "0").strip() not in ("", "0")


def path_of(entry: Remote) -> Path:
    """Where a file lies in the cache, or would."""
    return weights_folder() / entry.file


def state_of(entry: Remote) -> str:
    """`HERE`, `MISSING` or `DAMAGED`, by its bytes."""
    path, expected = path_of(entry), expected_sha256(entry)
    if not path.is_file() or expected is None:
        return MISSING
    return HERE if sha256_of(path) == expected else DAMAGED


def weights_path(name: str) -> Path:
    """Path of downloaded weights whose bytes are the expected ones; nothing is ever downloaded here.

    Raises:
        WeightError: no such weights, they are not pulled, or the file is not what it should be.
    """
    entry = remote(name)
    path, expected = path_of(entry), expected_sha256(entry)
    if not path.is_file() or expected is None:
        about = f"{entry.megabytes}, {entry.licence}"
        raise WeightError(f"the weights {name} ({about}) are not here: phq weights pull {name}")
    found = sha256_once(path)
    if found != expected:
        raise WeightError(f"{path} has sha256 {found}, expected {expected}: phq weights pull {name}")
    return path


def addresses(entry: Remote) -> list[str]:
    """Where a file is looked for: the folders in ``PHQ_MIRROR`` (URLs, spaces or commas between), then its own URL."""
    mirrors = re.split(r"[\s,]+", os.environ.get("PHQ_MIRROR", "").strip())
    return [*(f"{mirror.rstrip('/')}/{entry.file}" for mirror in mirrors if mirror), entry.url]


def pull(name: str, connect: bool | None = None, repin: bool = False, quiet: bool = True) -> Pulled:
    """Bring weights into the cache, unless they are there and sound.

    Two processes that want the same file take turns: the second finds it there.

    Args:
        connect: False forbids connections; None leaves it to ``PHQ_OFFLINE``.
        repin: take what the server has now, in place of what was pinned on first use.
        quiet: no progress bar.

    Raises:
        WeightError: unknown, not to be had, not the expected bytes, or offline.
        OutputError: the cache cannot be written.
    """
    entry = remote(name)
    with turn(entry):
        renew = repin and not entry.pinned
        if not renew and state_of(entry) == HERE:
            return Pulled(entry, path_of(entry), downloaded=False, pinned_now=False)
        if offline() if connect is None else not connect:
            raise WeightError(f"the weights {name} are not here, and phq is offline; {_without_network(name)}")
        return _fetched(entry, None if renew else expected_sha256(entry), quiet)


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


def _fetched(entry: Remote, expected: str | None, quiet: bool) -> Pulled:
    path = path_of(entry)
    part = path.with_name(path.name + ".part")
    found = download(addresses(entry), part, Wanted(entry.size, expected), quiet)
    put_in_place(entry, part, found)
    discard(part)
    return Pulled(entry, path, downloaded=True, pinned_now=expected is None)


def put_in_place(entry: Remote, part: Path, sha256: str) -> None:
    """Let a whole and checked file appear in the cache under its name.

    Raises:
        OutputError: the cache cannot be written.
    """
    path = path_of(entry)
    pin(entry, sha256)
    with output_errors(path):
        part.replace(path)
        sync_folder(path.parent)


def _without_network(name: str) -> str:
    return f"where there is a network, 'phq weights pull {name}' and 'export FILE', then here 'phq weights import FILE'"
