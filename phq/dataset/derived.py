"""What lies in a dataset's folder beside the dataset itself, and may still show or name a sample.

`DERIVED` is the list: pictures and pages that phq draws from samples and signs. They are dropped when a sample is
redacted, for what a picture shows cannot be searched; phq can draw all of them again. Files that somebody else put
there stay.
"""

from __future__ import annotations

import io
import mmap
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from PIL import Image as Pil
from PIL.PngImagePlugin import PngInfo

from phq.dataset.folder import SHEET, is_ours
from phq.errors import OutputError
from phq.schema import SCHEMA_VERSION
from phq.system.arrays import Image
from phq.system.journal import JOURNAL

DERIVED = {
    b"\x89PNG": b"Software\0" + SCHEMA_VERSION.encode(),
    b"<": b'<meta name="generator" content="phq',
}
"""By how a file begins, the signature of a picture (PNG text chunk) or page that phq drew of samples."""
_WORK_PREFIX = ".phq-"
_HEAD = 1 << 16
"""Bytes in which a signature stands."""


def is_drawn(path: Path) -> bool:
    """Whether phq drew this picture or page, whatever it is called."""
    if not path.is_file():  # a link that leads nowhere
        return False
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    return any(head.startswith(start) and signature in head for start, signature in DERIVED.items())


def check_drawing(path: Path, *suffixes: str) -> Path:
    """Let a path pass where a picture or page of samples can be written.

    Args:
        path: of the drawing.
        suffixes: with dots, in small letters; its name must end in one of them.

    Raises:
        OutputError: another suffix, or the file exists and phq did not draw it.
    """
    if path.suffix.lower() not in suffixes:
        raise OutputError(f"{path}: choose a name that ends in {' or '.join(suffixes)}")
    if path.exists() and not is_drawn(path):
        raise OutputError(f"{path} already exists and phq did not draw it; choose another name")
    return path


def signed_png(picture: Image, **options: Any) -> bytes:
    """An RGB picture as a PNG that `is_drawn` recognises.

    Args:
        picture: H × W × 3.
        options: of Pillow's PNG writer.
    """
    stream, signature = io.BytesIO(), PngInfo()
    signature.add_text("Software", SCHEMA_VERSION)
    Pil.fromarray(picture).save(stream, "PNG", pnginfo=signature, **options)
    return stream.getvalue()


def work_left(folder: Path) -> list[str]:
    """Files of builds and annotations that were interrupted, half-written ones among them; sorted."""
    return [name for name in files_in(folder) if name.startswith(_WORK_PREFIX) or _is_half_written(name)]


def _is_half_written(name: str) -> bool:
    return name.endswith(".tmp") and is_ours(name.removesuffix(".tmp"))


def drawings(folder: Path) -> list[str]:
    """Pictures and pages that phq drew, sorted."""
    names = (name for name in files_in(folder) if name == SHEET or not (name.startswith(_WORK_PREFIX) or is_ours(name)))
    return [name for name in names if is_drawn(folder / name)]


def files_in(folder: Path) -> Iterator[str]:
    """Every file below the folder, but for the journal; sorted."""
    found = []
    for root, folders, files in os.walk(folder):
        if Path(root) == folder and JOURNAL in folders:
            folders.remove(JOURNAL)
        found += [(Path(root) / name).relative_to(folder).as_posix() for name in files]
    yield from sorted(found)


def mentioning(folder: Path, files: Collection[str], names: Collection[str]) -> list[str]:
    """Those of `files` in whose bytes one of `names` stands."""
    wanted = sorted(name.encode() for name in names)
    return [file for file in files if _mentions(folder / file, wanted)]


def _mentions(path: Path, names: list[bytes]) -> bool:
    if not path.is_file() or not path.stat().st_size:
        return False
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return any(content.find(name) >= 0 for name in names)
