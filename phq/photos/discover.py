"""Which files to read: a folder, a list file, one picture or a glob, in an order that never changes."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from glob import has_magic
from pathlib import Path

from phq.errors import InputError, RejectError
from phq.photos.colour import Colour
from phq.photos.decode import BACKGROUND, MAX_BYTES, MAX_PIXELS, Decoded, PhotoRejectError, decode, read_file
from phq.photos.entry import Entry
from phq.photos.same_path import existing
from phq.system.atomic import raise_disk_failure
from phq.system.place import file_system, is_url, place
from phq.system.retrying import retried

LITTER = {
    "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r",
    "__macosx", "@eadir", "$recycle.bin", "system volume information",
}  # fmt: skip
"""What operating systems and network drives leave among photos, besides hidden files; in lower case."""


Say = Callable[[str], object]
Stamp = tuple[int, str]
"""Size of a file, and its modification time (ns) or its server's content tag."""


@dataclass(frozen=True)
class Found:
    """One file to read."""

    path: Path
    """On this machine, or of a URL (see `phq.system.place`)."""
    name: str
    """Path as it is recorded: relative to the input root, with forward slashes; always valid UTF-8."""
    entry: Entry | None = field(default=None, kw_only=True)
    """Where in the file the photo is; None if the file is the photo."""
    stamp: Stamp | None = field(default=None, kw_only=True, compare=False)
    """At listing time; None if it was not read yet."""

    def fingerprint(self) -> Stamp:
        """Distinguishes this file from an earlier one of its name; (0, '') if it cannot be read."""
        if self.stamp is not None:
            return self.stamp
        try:
            status = self.path.stat()
        except (OSError, ValueError):  # ValueError: a zero byte in the name
            return 0, ""
        return status.st_size, str(status.st_mtime_ns)

    def decode(self, max_pixels: int = MAX_PIXELS, background: Colour = BACKGROUND) -> Decoded:
        """Upright sRGB pixels and facts, see `phq.photos.decode.decode`.

        Raises:
            PhotoRejectError: see there; also missing_file or unreadable, of the file that holds the photo.
            OutputError: the disk fails.
        """
        if self.entry is None:
            return decode(self.path, max_pixels, background)
        try:
            return self.entry.decode(self.path, max_pixels, background, MAX_BYTES)
        except FileNotFoundError:
            raise PhotoRejectError("missing_file", "the file that holds it is no longer there") from None
        except OSError as error:
            raise_disk_failure(error)
            raise PhotoRejectError("unreadable", error.strerror or "the file that holds it cannot be read") from error

    def sha256(self) -> str:
        """As recorded in ``source_sha256``; '' if it cannot be read."""
        try:
            if self.entry is not None:
                return self.entry.sha256(self.path)
            return hashlib.sha256(read_file(self.path)).hexdigest()
        except (RejectError, OSError, UnicodeError):  # a video that is gone, a path column that is no text
            return ""


def recorded(relative: str) -> str:
    """A path as text that any file can hold: bytes that are not UTF-8 are written as ``\\xff``."""
    slashed = relative.replace(os.sep, "/")
    return slashed.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _ordered(found: Iterable[Found]) -> list[Found]:
    """One `Found` for each path, sorted by the bytes of the names."""
    once = {os.path.normpath(f.path): f for f in found}
    return sorted(once.values(), key=lambda f: (f.name.encode(), os.fsencode(f.path)))


def is_litter(name: str) -> bool:
    """Whether a file or folder of this name is not a photo, but left by a program."""
    return name.startswith(".") or name.lower() in LITTER


def _entries(folder: Path) -> list[os.DirEntry[str]] | None:
    """What is in `folder`, sorted, without litter; None if it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            return sorted((e for e in entries if not is_litter(e.name)), key=lambda e: os.fsencode(e.name))
    except OSError:
        return None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False


def _walk(root: Path) -> Iterator[Path]:
    """Every file below `root`, and every folder in it that cannot be listed.

    Linked folders are entered after all real ones, each real folder once, and never one that holds `root`.

    Raises:
        InputError: `root` itself cannot be listed.
    """
    seen: set[str] = set()
    above = {str(folder) for folder in root.resolve().parents}
    folders, linked = [root], list[Path]()
    while folders or linked:
        folder = folders.pop() if folders else linked.pop(0)
        real = os.path.realpath(folder)
        if real in seen or real in above:
            continue
        seen.add(real)
        entries = _entries(folder)
        if entries is None and folder == root:
            raise InputError(f"the folder {root} cannot be read; check its permissions")
        if entries is None:
            yield folder
        for entry in entries or []:
            if not _is_folder(entry):
                yield Path(entry.path)
            elif entry.is_symlink():
                linked.append(Path(entry.path))
            else:
                folders.append(Path(entry.path))


def _from_folder(root: Path) -> list[Found]:
    return _ordered(Found(p, recorded(os.path.relpath(p, root))) for p in _walk(root))


def _matches(names: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    """Whether the parts of a path match those of a glob, where ``**`` is any number of folders."""
    if not pattern or not names:
        return not pattern and not names
    if pattern[0] == "**":
        rest = pattern[1:]
        return not rest or any(_matches(names[i:], rest) for i in range(len(names)))
    return fnmatch.fnmatch(names[0], pattern[0]) and _matches(names[1:], pattern[1:])


def _from_glob(source: Path) -> list[Found]:
    parents = [Path(*source.parts[: i + 1]) for i in range(len(source.parts))]
    fixed = next((i for i, path in enumerate(parents) if has_magic(path.name) and not path.exists()), None)
    if fixed is None:  # brackets in the names of folders that are there
        raise InputError(f"no such file or folder: {source}")
    root = Path(*source.parts[:fixed])
    if not root.is_dir():
        raise InputError(f"no such folder: {root} (of the glob {source})")
    pattern = source.parts[fixed:]
    found = [f for f in _from_folder(root) if _matches(f.path.relative_to(root).parts, pattern)]
    if not found:
        raise InputError(f"the glob {source} matches no file; use ** for files in subfolders")
    return found


def _read_list(source: Path) -> str:
    try:
        data = source.read_bytes()
    except OSError as error:
        raise InputError(f"the list {source} cannot be read: {error.strerror}") from error
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):  # what PowerShell writes
        return data.decode("utf-16", "replace")
    if b"\0" in data:
        raise InputError(f"the list {source} is not a text file; a list has one path per line")
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")


def _list_name(path: Path, root: Path) -> str:
    try:
        return recorded(os.path.relpath(path, root))
    except ValueError:  # another drive of Windows
        return recorded(str(path.absolute()))


def _unquoted(line: str) -> str:
    """Without the quotes that Windows' "Copy as path" and shells put round a path."""
    return line[1:-1] if len(line) > 2 and line[0] == line[-1] and line[0] in "\"'" else line


def _from_list(source: Path, say: Say) -> list[Found]:
    lines = [line.strip() for line in re.split(r"[\r\n]+", _read_list(source))]
    paths = [line for line in lines if line and not line.startswith("#")]
    if not paths:
        raise InputError(f"the list {source} names no photo; a list has one path per line")
    found, respelled = list[Path](), list[str]()
    for line in paths:
        path = source.parent / line
        alike = None if os.path.lexists(path) else existing(source.parent, _unquoted(line), say)
        if not alike and "://" in line and is_url(line):
            raise InputError(
                f"the list {source} names URLs, such as {line}, and phq downloads nothing: fetch the photos first, for "
                "example with img2dataset"
            )
        found.append(alike or path)
        respelled += [line] if alike else []
    if respelled:
        say(f"{len(respelled)} paths of {source} were found after Unicode normalisation, slashes and quotes, such as "
            f"{respelled[0]}")  # fmt: skip
    return _ordered(Found(p, _list_name(p, source.parent)) for p in found)


def _from_url(root: Path) -> list[Found]:
    """Every object below a URL, without litter; identified by its server's content tag."""
    fs, top = file_system(root)
    try:
        listed = retried(str(root), lambda: fs.find(top, detail=True))
    except Exception as error:  # the file systems of fsspec raise errors of their own, which share no base
        raise InputError(f"cannot list {root}: {error}") from error
    if not listed:
        raise InputError(f"there is nothing at {root}")
    found = []
    for path, about in listed.items():
        relative = path[len(top.rstrip("/")) + 1 :] if path != top else path.rpartition("/")[2]
        if not any(is_litter(part) for part in relative.split("/")):
            state = next((str(about[name]) for name in ("ETag", "etag", "mtime", "created") if about.get(name)), "")
            place_of = root if path == top else root / relative
            found.append(Found(place_of, recorded(relative), stamp=(int(about["size"] or 0), state)))
    return sorted(found, key=lambda f: f.name.encode())


def discover(source: str | Path, say: Say = lambda _: None) -> list[Found]:
    """Files that `source` names, sorted by the bytes of their names, each file once.

    `source` is one of

    - a folder: everything in it and below, whatever its suffix, so that a file that is not a picture becomes a
      reject with a name. Hidden files and `LITTER` are left out. Linked folders are entered, loops are not.
    - a list (``.txt``): one path per line, relative to the list's folder; blank lines and lines that start
      with ``#`` are skipped. A path that does not exist as it is written is looked for without quotes, by
      `phq.photos.same_path.existing`. A listed file need not exist: reading it is what tells. Names of files
      outside the list's folder start with ``..``.
    - one picture.
    - a glob, in which ``**`` is any number of folders; the root is the part before the first wildcard.
    - a URL that fsspec can list (``s3://…``): everything below it, or the one file it names.

    Args:
        source: see above.
        say: called with a sentence about paths of a list that are not spelled like their files.

    Raises:
        InputError: no such file or folder, an empty folder or list, a glob that matches nothing, a list or
            folder that cannot be read, a list with URLs.
    """
    if is_url(source):
        return _from_url(place(source))
    source = Path(source)
    if source.is_dir():
        found = _from_folder(source)
        if not found:
            raise InputError(f"the folder {source} has no files in it")
        return found
    if os.path.lexists(source):
        is_list = source.suffix.lower() == ".txt"
        return _from_list(source, say) if is_list else [Found(source, recorded(source.name))]
    if has_magic(str(source)):
        return _from_glob(source)
    raise InputError(f"no such file or folder: {source}")
