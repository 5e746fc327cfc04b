"""The photos a dataset was built from, found again by what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from phq.config.build import Video
from phq.errors import InputError
from phq.photos.contents import photos_of
from phq.photos.discover import Found


def find_photos(source: str | Path, wanted: Mapping[str, str], video: Video | None = None) -> dict[str, Found]:
    """Photos of `source` by the sha256 that is recorded of them, whatever they are called.

    Those that are called as they once were are read first, and the search ends when all are found, so that a folder
    with many more photos is rarely read as a whole.

    Args:
        source: see `phq.photos.contents.photos_of`; read only.
        wanted: recorded name of a photo by its sha256.
        video: which frames of a video the dataset was built from.

    Returns:
        Photos by sha256, as far as they were found.

    Raises:
        InputError: nothing there at all, or none of the wanted photos.
    """
    names, missing = set(wanted.values()), set(wanted)
    files = sorted(photos_of(source, video), key=lambda found: found.name not in names)  # stable: else their own order
    photos: dict[str, Found] = {}
    for found in files:
        if not missing:
            break
        digest = found.sha256()
        if digest in missing:
            photos[digest] = found
            missing.remove(digest)
    if wanted and not photos:
        raise InputError(f"{source}: none of its {len(files)} files is one of this dataset's {len(wanted)} photos")
    return photos


def video_settings(run: Mapping[str, Any]) -> Video:
    """Which frames of videos a dataset was built from.

    Args:
        run: content of ``run.json``.
    """
    try:
        return Video.model_validate(run["config"]["video"])
    except (TypeError, KeyError, ValidationError):
        return Video()
