"""Labelled image sets on disk, zip or folder: pictures, and ``dataset.json`` at the root."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from PIL import Image as Pil

from phq.errors import InputError, OutputError
from phq.system.atomic import output_errors
from phq.system.publish import published

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
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@contextmanager
def open_sinks(paths: Sequence[Path], as_zip: bool) -> Iterator[list[Sink]]:
    """New zips (stored; the same files in the same order give the same bytes) or new or empty folders.

    They appear under their names together, once all are complete.

    Args:
        paths: in one folder.
        as_zip: zips, not folders.

    Raises:
        OutputError: a zip exists, a folder is not empty, or one cannot be written.
    """
    if taken := [path for path in paths if as_zip and path.is_dir()]:
        raise OutputError(f"{taken[0]} is a folder; choose another name")
    with ExitStack() as stack:
        staged = stack.enter_context(published(*paths))
        yield [stack.enter_context(_open_zip_sink(path)) if as_zip else _FolderSink(path) for path in staged]


@contextmanager
def _open_zip_sink(path: Path) -> Iterator[Sink]:
    with output_errors(path), path.open("wb") as stream, zipfile.ZipFile(stream, "w") as archive:
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
