"""Files in a dataset's folder that are not part of the dataset but may show or name a sample.

Pictures and pages that phq draws from samples carry a signature (`DERIVED`). They are deleted when a sample is
redacted, since pictures cannot be searched for it; phq can draw all of them again. Other files stay.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from phq.dataset.folder import SHEET, is_half_written, is_ours
from phq.errors import OutputError
from phq.schema import SCHEMA_VERSION
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


def check_picture(out: Path) -> Path:
    """Check that a picture of samples can be written to a path.

    Raises:
        OutputError: its suffix is not .png, or a file is there that phq did not draw.
    """
    if out.suffix.lower() != ".png":  # a redaction looks for drawings by their suffix
        raise OutputError(f"{out} is to be a PNG picture; choose a name that ends in .png")
    if out.is_file() and not is_drawn(out):
        raise OutputError(f"{out} already exists; choose another name (nothing is ever overwritten)")
    return out


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


def mentioning(folder: Path, files: Collection[str], names: Collection[str]) -> list[str]:
    """Those of `files` whose bytes contain one of `names`."""
    wanted = sorted(name.encode() for name in names)
    return [file for file in files if _mentions(folder / file, wanted)]


def _mentions(path: Path, names: list[bytes]) -> bool:
    if not path.is_file() or not path.stat().st_size:
        return False
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return any(content.find(name) >= 0 for name in names)
