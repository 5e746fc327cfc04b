"""Files in a dataset's folder that are not part of the dataset but may show or name a sample.

Pictures and pages that phq draws from samples carry a signature (`DERIVED`). They are deleted when a sample is
redacted, since pictures cannot be searched for it; phq can draw all of them again. Other files stay.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image as Pil
from PIL.PngImagePlugin import PngInfo

from phq.dataset.folder import SHEET, is_half_written, is_ours
from phq.errors import OutputError
from phq.schema import SCHEMA_VERSION
from phq.system.arrays import Image
from phq.system.journal import JOURNAL

DERIVED = {
    b"\x89PNG": b"Software\0" + SCHEMA_VERSION.encode(),
    b"<": b'<meta name="generator" content="phq',
}
"""First bytes of a file → signature of a picture (a PNG text chunk) or page that phq drew."""
_WORK_PREFIX = ".phq-"
_HEAD = 1 << 16
"""Bytes in which the signature is found."""


def is_drawn(path: Path) -> bool:
    """Whether phq drew this picture or page, whatever it is called."""
    if not path.is_file():  # a link that leads nowhere
        return False
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    return any(head.startswith(start) and signature in head for start, signature in DERIVED.items())


def check_drawing(path: Path, *suffixes: str) -> Path:
    """Check that a picture or page of samples can be written to a path.

    Args:
        path: of the drawing.
        suffixes: with dots, in lower case; its name must end in one of them.

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
    """Files of interrupted builds and annotations, half-written ones included; sorted."""
    return [name for name in files_in(folder) if name.startswith(_WORK_PREFIX) or is_half_written(name)]


def drawings(folder: Path) -> list[str]:
    """Pictures and pages that phq drew, sorted."""
    names = (name for name in files_in(folder) if name == SHEET or not (name.startswith(_WORK_PREFIX) or is_ours(name)))
    return [name for name in names if is_drawn(folder / name)]


def files_in(folder: Path) -> Iterator[str]:
    """Every file below the folder except the journal; sorted."""
    found = []
    for root, folders, files in os.walk(folder):
        if Path(root) == folder and JOURNAL in folders:
            folders.remove(JOURNAL)
        found += [(Path(root) / name).relative_to(folder).as_posix() for name in files]
    yield from sorted(found)
