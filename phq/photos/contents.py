"""Files that hold many photos (archives, tables, videos), as the photos in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from phq.config.build import Video
from phq.errors import InputError, PhqError, RejectError
from phq.photos import archives, tables, videos
from phq.photos.discover import Found, Say, discover, is_litter, recorded
from phq.photos.entry import Entry, Refused
from phq.photos.frame_names import frame_name, row_name
from phq.system.atomic import raise_disk_failure
from phq.system.place import is_url

_START = 512
"""Bytes that tell what a file holds."""
_SUFFIXES = (*archives.SUFFIXES, *tables.SUFFIXES, *videos.SUFFIXES)


def photos_of(
    source: str | Path,
    video: Video | None = None,
    left_out: Callable[[Found], bool] = lambda _: False,
    say: Say = lambda _: None,
) -> list[Found]:
    """Every photo that `source` names, see `phq.photos.discover.discover`, with those inside other files.

    A zip or tar archive counts as a folder, a Parquet table as its rows (``TABLE#row=N``), a video as frames
    (``VIDEO#t=SECONDS``). The content decides, in a folder only for files with the usual suffixes. An archive that is
    itself `source` is the folder that names are relative to.

    Args:
        source: see there.
        video: which frames are photos; the defaults if None.
        left_out: files that are not looked into.
        say: see there.

    Raises:
        InputError: see there; also where `source` is one file, and nothing in it can be read.
        OutputError: the disk fails while a file that holds photos is listed.
    """
    found = [file for file in discover(source, say) if not left_out(file)]
    alone = len(found) == 1 and _names_file(source, found[0])
    inside = [photo for file in found for photo in _contents(file, video, alone)]
    if alone and inside and all(isinstance(photo.entry, Refused) for photo in inside):
        refused = inside[0].entry
        assert isinstance(refused, Refused)
        raise InputError(f"{source}: {refused.detail}")
    if alone and not inside:
        raise InputError(f"there is no photo in {source}")
    return inside


def _names_file(source: str | Path, found: Found) -> bool:
    """Whether the source is this one file, and not a folder or a list that holds one."""
    if is_url(source):
        return str(found.path).rstrip("/") == str(source).rstrip("/")
    return found.path == Path(source)


def _contents(file: Found, video: Video | None, alone: bool) -> Iterator[Found]:
    if not alone and not file.name.lower().endswith(_SUFFIXES):
        yield file
        return
    start = _start(file.path)
    try:
        if kind := _archive_kind(file, start):
            yield from _members(file, kind, "" if alone else f"{file.name}/")
        elif start.startswith(tables.MAGIC):
            rows = tables.list_table(file.path)
            yield from (_inside(file, row_name(file.name, number), row) for number, row in enumerate(rows))
        elif videos.may_be_video(start, file.name):
            frames = videos.list_frames(file.path, video)
            yield from (_inside(file, frame_name(file.name, frame.seconds), frame) for frame in frames)
        else:
            yield file
    except RejectError as error:
        yield replace(file, entry=Refused(error.reason, error.detail))
    except (PhqError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - readers of damaged files raise anything
        raise_disk_failure(error)
        yield replace(file, entry=Refused("corrupt", f"a damaged file: {type(error).__name__}: {error}"))


def _archive_kind(file: Found, start: bytes) -> str:
    """See `phq.photos.archives.kind_of`; zip archives are also looked for behind other bytes, if they are called so."""
    kind = archives.kind_of(start)
    if not kind and file.name.lower().endswith(".zip") and archives.is_zip_behind_other_bytes(file.path):
        return archives.ZIP
    return kind


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_START)
    except (OSError, ValueError) as error:  # reading it as a photo is what tells
        raise_disk_failure(error)
        return b""


def _members(file: Found, kind: str, prefix: str) -> Iterator[Found]:
    listed, broken = (archives.list_zip(file.path), "") if kind == archives.ZIP else archives.list_tar(file.path)
    for member in listed:
        if not any(is_litter(part) for part in member.name.split("/")):
            yield Found(file.path, recorded(prefix + member.name), entry=member.entry, stamp=member.stamp)
    if broken:
        yield replace(file, entry=Refused("truncated", f"the archive is damaged after {len(listed)} files: {broken}"))


def _inside(file: Found, name: str, entry: Entry) -> Found:
    return Found(file.path, name, entry=entry, stamp=file.fingerprint())
