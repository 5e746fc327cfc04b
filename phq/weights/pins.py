"""The cache folder, and the checksums in it of files whose checksum nobody publishes.

Such a file is trusted when it comes the first time. Its sha256 is then written to ``pins.json`` beside it, and from
there on it is held to that like any other.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

from phq.errors import WeightError
from phq.system.atomic import write_bytes
from phq.weights.catalogue import Remote


def cache_folder() -> Path:
    """``PHQ_CACHE``, or phq's folder among the user's caches."""
    stated = os.environ.get("PHQ_CACHE")
    return Path(stated).expanduser() if stated else user_cache_path("phq", appauthor=False)


def weights_folder() -> Path:
    """Where downloaded weights lie, one file each."""
    return cache_folder() / "weights"


def expected_sha256(entry: Remote) -> str | None:
    """What the file must hash to: as registered, else as pinned here; None before the first download.

    Raises:
        WeightError: ``pins.json`` is damaged.
    """
    return entry.sha256 or _read().get(entry.name)


def pin(entry: Remote, sha256: str) -> None:
    """Remember the checksum of a file that has none registered.

    Raises:
        WeightError: ``pins.json`` is damaged.
        OutputError: it cannot be written.
    """
    if entry.pinned:
        return
    path = _path()
    with FileLock(path.with_suffix(".lock")):
        pins = dict(sorted({**_read(), entry.name: sha256}.items()))
        write_bytes(path, (json.dumps(pins, indent=1) + "\n").encode())


def _path() -> Path:
    return weights_folder() / "pins.json"


def _read() -> dict[str, str]:
    try:
        pins = json.loads(_path().read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise WeightError(f"{_path()} cannot be read ({error}); it holds the checksums of unpinned weights") from error
    if not isinstance(pins, dict):
        raise WeightError(f"{_path()} is not what phq wrote; it holds the checksums of unpinned weights")
    return pins
