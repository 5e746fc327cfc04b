"""A disk that fails while a file with many photos is listed ends the build; no dataset is made without its photos."""

from __future__ import annotations

import errno
import io
import itertools
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from encoded_pictures import encoded, small_picture
from video_files import write_video

from phq.errors import OutputError
from phq.photos.contents import photos_of

PICTURE = encoded(small_picture(80, 60), "JPEG")


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.jpg", PICTURE)


def tarred(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("a.jpg")
        member.size = len(PICTURE)
        archive.addfile(member, io.BytesIO(PICTURE))


def tabled(path: Path) -> None:
    pq.write_table(pa.table({"image": pa.array([PICTURE])}), path)


def filmed(path: Path) -> None:
    write_video(path, [np.asarray(small_picture(64, 64))] * 3)


class Failing(io.FileIO):
    """A file of a disk that cannot be read any more."""

    def readinto(self, buffer: Any) -> int:
        raise OSError(errno.EIO, "Input/output error")

    read = io.RawIOBase.read
    readall = io.RawIOBase.readall


@pytest.mark.parametrize("good", [0, 1], ids=["at once", "after its first bytes"])
@pytest.mark.parametrize(
    ("name", "write"),
    [("photos.zip", zipped), ("photos.tar", tarred), ("photos.parquet", tabled), ("film.mp4", filmed)],
)
def test_listing_ends_with_a_sentence(
    name: str, write: Callable[[Path], object], good: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / name)
    opened = itertools.count()

    def open_it(self: Path, *_: Any, **__: Any) -> io.FileIO:
        return io.FileIO(self) if next(opened) < good else Failing(self)

    monkeypatch.setattr(Path, "open", open_it)
    with pytest.raises(OutputError, match="cannot read or write"):
        photos_of(tmp_path)
