"""Labelled image sets on disk, zip or folder: pictures, and ``dataset.json`` at the root."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from PIL import Image as Pil

from phq.errors import InputError, OutputError
from phq.system.atomic import atomic_write, output_errors, write_bytes

INDEX = "dataset.json"
ORIGIN = "phq"
"""Key of ``dataset.json`` for what 25 numbers cannot hold; the loaders only read 'labels'."""
_EPOCH = (1980, 1, 1, 0, 0, 0)


class Sink(Protocol):
    """Destination for named files."""

    def add(self, name: str, content: bytes) -> None:
        """Store one file; `name` has forward slashes."""


class _ZipSink:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive

    def add(self, name: str, content: bytes) -> None:
        entry = zipfile.ZipInfo(name, _EPOCH)  # the default is the time of day
        entry.create_system, entry.external_attr = 3, 0o644 << 16  # the default depends on the system
        self.archive.writestr(entry, content, zipfile.ZIP_STORED)


class _FolderSink:
    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, name: str, content: bytes) -> None:
        path = self.root / name
        if name == INDEX:  # the file that makes the folder a set: complete or absent
            write_bytes(path, content)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@contextmanager
def open_sink(path: Path, as_zip: bool) -> Iterator[Sink]:
    """A new zip (stored; the same files in the same order give the same bytes) or a new or empty folder.

    A zip appears under its name once it is complete.

    Raises:
        OutputError: the zip exists, the folder is not empty, or `path` cannot be written.
    """
    if path.exists() and (as_zip or not path.is_dir() or any(path.iterdir())):
        raise OutputError(f"{path} already exists; choose another name (nothing is ever overwritten)")
    if not as_zip:
        with output_errors(path):
            path.mkdir(parents=True, exist_ok=True)
            yield _FolderSink(path)
        return
    with atomic_write(path) as stream, zipfile.ZipFile(stream, "w") as archive:
        yield _ZipSink(archive)


class LabelledSet:
    """A zip or folder, open for reading."""

    def __init__(self, path: Path) -> None:
        """Open the zip, or list the folder.

        Raises:
            InputError: no such zip or folder.
        """
        self.path = path
        self._zip = None if path.is_dir() else _open_zip(path)
        self._files = self._zip.namelist() if self._zip else _files_below(path)

    def names(self) -> list[str]:
        """Names of the pictures, sorted, with forward slashes; pictures have a suffix that Pillow knows.

        Raises:
            InputError: there are none.
        """
        Pil.init()
        names = sorted(name for name in self._files if Path(name).suffix.lower() in Pil.EXTENSION)
        if not names:
            raise InputError(f"{self.path} holds no pictures")
        return names

    def index(self) -> dict[str, Any]:
        """Content of ``dataset.json``.

        Raises:
            InputError: it is missing, or not a JSON object.
        """
        if INDEX not in self._files:
            raise InputError(f"{self.path} has no {INDEX} at its root, so its pictures have no labels")
        try:
            content = json.loads(self.read(INDEX))
        except ValueError as error:
            raise InputError(f"{INDEX} of {self.path} is not valid JSON: {error}") from error
        if not isinstance(content, dict):
            raise InputError(f"{INDEX} of {self.path} is not an object with 'labels'")
        return content

    def read(self, name: str) -> bytes:
        """Bytes of one file.

        Raises:
            KeyError: no such file in the zip.
            OSError: the file cannot be read.
            zipfile.BadZipFile: the zip is damaged.
        """
        return self._zip.read(name) if self._zip else (self.path / name).read_bytes()


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError:
        raise InputError(f"no such zip or folder: {path}") from None
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is neither a folder nor a readable zip: {error}") from error


def _files_below(root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
