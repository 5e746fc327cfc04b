"""Members of zip and tar archives, read one by one; nothing is unpacked."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import posixpath
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

from phq.errors import RejectError
from phq.photos.colour import Colour
from phq.photos.decode import Decoded
from phq.photos.entry import Entry, as_photo_reject, decode_entry, version_of
from phq.system.atomic import raise_disk_failure
from phq.system.retrying import retried

ZIP, TAR = "zip", "tar"
SUFFIXES = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst")
"""Names that make a file in a folder worth a look; its content decides."""
_OPEN_FILES = 4
"""Archives that a process keeps open."""
_COMPRESSED: tuple[tuple[bytes, Callable[[Any], Any]], ...] = (
    (b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\0", lzma.open),
)  # fmt: skip
_ZSTD = b"\x28\xb5\x2f\xfd"
_PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".avif", ".heic", ".tif", ".tiff", ".bmp", ".gif"}
_NOTES = {".json", ".txt", ".cls", ".caption"}
"""Suffixes of the files that WebDataset shards and img2dataset put beside each picture, under its name."""
_PACKED = (*(magic for magic, _ in _COMPRESSED), _ZSTD)
_ENCRYPTED = 1
"""Bit of a member's flags (APPNOTE.TXT §4.4.4)."""
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, zlib.error, lzma.LZMAError, ValueError)


@dataclass(frozen=True)
class ZipMember:
    """A member of a zip archive."""

    name: str
    """As the archive has it."""

    def decode(self, file: Path, max_pixels: int, background: Colour, max_bytes: int) -> Decoded:
        """See `phq.photos.entry.Entry`."""
        return _decoded(file, partial(_read_zip, file, self.name, max_bytes), max_pixels, background)

    def sha256(self, file: Path) -> str:
        """See `phq.photos.entry.Entry`."""
        return _digest(file, partial(_read_zip, file, self.name, None))


@dataclass(frozen=True)
class TarMember:
    """A member of a tar archive, compressed or not."""

    offset: int
    """Of its first byte in the (decompressed) archive; −1 of a link that leads nowhere."""
    size: int

    def decode(self, file: Path, max_pixels: int, background: Colour, max_bytes: int) -> Decoded:
        """See `phq.photos.entry.Entry`."""
        return _decoded(file, partial(_read_tar, file, self, max_bytes), max_pixels, background)

    def sha256(self, file: Path) -> str:
        """See `phq.photos.entry.Entry`."""
        return _digest(file, partial(_read_tar, file, self, None))


_NOWHERE = TarMember(-1, 0)
_HOPS = 40
"""Links of a chain that are followed, as many as Linux follows."""


@dataclass(frozen=True)
class Listed:
    """A member as a listing has it."""

    name: str
    """With forward slashes, without a leading ``./`` or ``/``."""
    entry: Entry
    stamp: tuple[int, str]
    """Size, and checksum or time of change."""


def kind_of(start: bytes) -> str:
    """`ZIP`, `TAR` (perhaps: a compressed file may hold anything) or '', by the first 512 bytes of a file."""
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return ZIP
    return TAR if start[257:262] == b"ustar" or start.startswith(_PACKED) else ""


def is_zip_behind_other_bytes(file: Path) -> bool:
    """Whether a zip archive is all of the file but its beginning, as in those that unpack themselves; never raises."""
    try:
        with file.open("rb") as stream:
            return zipfile.is_zipfile(stream)
    except (OSError, ValueError) as error:
        raise_disk_failure(error)
        return False


def list_zip(file: Path) -> list[Listed]:
    """The files of a zip archive, sorted by name.

    Raises:
        RejectError: corrupt or unreadable.
        OutputError: the disk fails.
    """
    try:
        entries = [info for info in _zip(file).infolist() if not info.is_dir()]
    except _BROKEN as error:
        raise_disk_failure(error)
        raise RejectError("corrupt", f"a damaged zip archive: {error}") from error
    members = {name: Listed(name, ZipMember(info.filename), (info.file_size, f"{info.CRC:08x}"))
               for info in entries if (name := _plain(info.filename))}  # fmt: skip
    return [members[name] for name in _without_notes(sorted(members, key=_bytes))]


def list_tar(file: Path) -> tuple[list[Listed], str]:
    """The files of a tar archive, and what ended the listing early ('' if nothing did).

    Sorted by name if the archive is not compressed, else in its own order, since each step back would decompress all of
    it again.

    Raises:
        RejectError: it is not a tar, or compressed in a way that is not read.
        OutputError: the disk fails.
    """
    members, places, links = dict[str, Listed](), dict[str, TarMember](), dict[str, str]()
    broken = ""
    try:
        stream, compressed = _tar(file)
        stream.seek(0)
        for info in _headers(stream):
            name = _plain(info.name)
            links.pop(name, None)
            if target := _target(info):
                links[name] = target
            place = _NOWHERE if target else TarMember(info.offset_data, info.size)
            places[name], members[name] = place, Listed(name, place, (place.size, str(info.mtime)))
    except _BROKEN as error:
        raise_disk_failure(error)
        if not members:
            raise _no_tar(file, error) from error
        broken = str(error) or "it ends early"
    for name in links:  # which may stand before what they lead to
        place = places[name] = places.get(_end_of(name, links), _NOWHERE)
        members[name] = Listed(name, place, (place.size, members[name].stamp[1]))
    names = sorted(members, key=_bytes)
    if compressed:
        names.sort(key=lambda name: places[name].offset)
    return [members[name] for name in _without_notes(names)], broken


def _no_tar(file: Path, error: Exception) -> RejectError:
    """For a file without any member, which may be anything if it is compressed."""
    with file.open("rb") as stream:
        packed = stream.read(16).startswith(_PACKED)
    if packed and isinstance(error, tarfile.TarError):
        return RejectError("unsupported_format", "a compressed file that is no tar archive; decompress it first")
    return RejectError("corrupt", f"a damaged tar archive: {error}")


def _headers(stream: IO[bytes]) -> Iterator[tarfile.TarInfo]:
    """Headers of everything that can be a file, without keeping them."""
    with tarfile.open(fileobj=stream, mode="r:", errorlevel=1) as archive:
        while (info := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]  # as many objects as members, of a kilobyte each
            if info.isreg() or info.issym() or info.islnk():
                yield info


def _end_of(name: str, links: dict[str, str]) -> str:
    """Where a chain of links ends, or some link of a ring."""
    for _ in range(_HOPS):
        if name not in links:
            break
        name = links[name]
    return name


def _target(info: tarfile.TarInfo) -> str | None:
    """Name of the member that a link leads to; None if it is not a link."""
    if info.islnk():
        return _plain(info.linkname)
    return _plain(posixpath.join(posixpath.dirname(info.name), info.linkname)) if info.issym() else None


def _plain(name: str) -> str:
    return posixpath.normpath(name.replace("\\", "/")).lstrip("/")


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _without_notes(names: Sequence[str]) -> list[str]:
    """The names but for those of notes beside a picture, which cameras may have named in capitals."""
    paths = [PurePosixPath(name) for name in names]
    pictures = {path.with_suffix("") for path in paths if path.suffix.lower() in _PICTURES}
    return [
        name
        for name, path in zip(names, paths, strict=True)
        if path.suffix.lower() not in _NOTES or path.with_suffix("") not in pictures
    ]


@lru_cache(_OPEN_FILES)
def _open_zip(file: Path, version: object) -> zipfile.ZipFile:
    return zipfile.ZipFile(file.open("rb"))


def _zip(file: Path) -> zipfile.ZipFile:
    return _open_zip(file, version_of(file))


@lru_cache(_OPEN_FILES)
def _open_tar(file: Path, version: object) -> tuple[IO[bytes], bool]:
    raw = file.open("rb")
    start = raw.read(8)
    raw.seek(0)
    if start.startswith(_ZSTD):
        raise RejectError("unsupported_format", "a tar compressed by Zstandard; decompress it first")
    opener = next((opener for magic, opener in _COMPRESSED if start.startswith(magic)), None)
    return (opener(raw), True) if opener else (raw, False)


def _tar(file: Path) -> tuple[IO[bytes], bool]:
    """A seekable stream of the archive's decompressed bytes, and whether a step back decompresses all again."""
    return _open_tar(file, version_of(file))


def _read_zip(file: Path, name: str, max_bytes: int | None) -> bytes:
    archive = _zip(file)
    info = archive.getinfo(name)
    if info.flag_bits & _ENCRYPTED:
        raise RejectError("unreadable", "encrypted in its archive")
    _check_size(info.file_size, max_bytes)
    try:
        with archive.open(info) as stream:
            return stream.read(info.file_size + 1)
    except NotImplementedError as error:
        raise RejectError("unsupported_format", f"compressed in a way that is not read: {error}") from error


def _read_tar(file: Path, member: TarMember, max_bytes: int | None) -> bytes:
    if member.offset < 0:
        raise RejectError("missing_file", "a link to nothing in its archive")
    _check_size(member.size, max_bytes)
    stream, _ = _tar(file)
    stream.seek(member.offset)
    data = stream.read(member.size)
    if len(data) < member.size:
        raise RejectError("truncated", "its archive ends before it does")
    return data


def _check_size(size: int, max_bytes: int | None) -> None:
    if max_bytes is not None and size > max_bytes:
        raise RejectError("file_too_large", f"the limit is {max_bytes} bytes")


def _reading(file: Path, read: Callable[[], bytes]) -> bytes:
    try:
        return retried(str(file), read)
    except EOFError as error:
        raise RejectError("truncated", "its archive ends before it does") from error
    except FileNotFoundError:  # `Found` says so, of every kind of entry
        raise
    except KeyError as error:
        raise RejectError("missing_file", "it is no longer in its archive") from error
    except _BROKEN as error:
        raise RejectError("corrupt", f"damaged in its archive: {error}") from error


def _decoded(file: Path, read: Callable[[], bytes], max_pixels: int, background: Colour) -> Decoded:
    try:
        data = _reading(file, read)
    except RejectError as error:
        raise as_photo_reject(error) from error
    return decode_entry(data, max_pixels, background)


def _digest(file: Path, read: Callable[[], bytes]) -> str:
    try:
        return hashlib.sha256(_reading(file, read)).hexdigest()
    except RejectError:
        return ""
