"""Where a sample that is gone is still named or shown."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from phq.dataset.mentions import Search

KEY = "0123456789abcdef"
PERSON = "Anna Förster"
PHOTO = b"the very bytes of a photo" * 999
SHA256 = hashlib.sha256(PHOTO).hexdigest()
PICTURE = b"the stored picture"
PICTURE_KEY = hashlib.sha256(PICTURE).hexdigest()[:16]


def zipped(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def tarred(name: str, content: bytes, mode: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def table(text: str, notes: str = "") -> bytes:
    stream = io.BytesIO()
    schema = pa.schema([("n", pa.int64()), ("text", pa.string())], metadata={"note": notes})
    pq.write_table(pa.table([[1, 2], [text, None]], schema=schema), stream, compression="zstd")
    return stream.getvalue()


NAMING = {
    "notes.txt": f"write to {PERSON}, please".encode(),
    "notes16.txt": PERSON.encode("utf-16"),
    "list.json": json.dumps({"who": PERSON}).encode(),
    "capitals.txt": b"KEY 0123456789ABCDEF",
    "far.txt": b"." * ((1 << 20) - 4) + KEY.encode() + b".",
    f"data/{KEY}.jpg": b"",
    "export.zip": zipped("dataset.json", json.dumps([["img.png", KEY]]).encode()),
    "named.zip": zipped(f"data/{KEY}.jpg", b"x" * 99),
    "nested.zip": zipped("inner.gz", gzip.compress(f"a {KEY} b".encode())),
    "backup.tar.gz": tarred(f"{KEY}.jpg", b"x", "w:gz"),
    "backup.tar": tarred(f"{KEY}.jpg", b"x", "w"),
    "old.csv.bz2": bz2.compress(f"a,{KEY}".encode()),
    "old.csv.xz": lzma.compress(f"a,{KEY}".encode()),
    "manifest.parquet.bak": table(KEY),
    "overlay.bak": table("", f"about {KEY}"),
    "copy.bin": PHOTO,
    "copy.jpg": PICTURE,
    "copy.zip": zipped("a.jpg", PHOTO),
    "broken.zip": b"PK\x03\x04" + KEY.encode(),
}
NOT_NAMING = {
    "notes.txt": b"nothing",
    "touching.txt": KEY.encode() + b"0, Annabel F",
    "broken.gz": b"\x1f\x8bnot gzip",
    "broken.parquet": b"PAR1",
    "other.zip": zipped("a.txt", b"nothing"),
    "empty": b"",
}


@pytest.fixture
def search() -> Search:
    return Search([KEY, PERSON, SHA256], [SHA256, PICTURE_KEY])


@pytest.mark.parametrize("name", NAMING)
def test_found(search: Search, tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(NAMING[name])
    assert search.file(tmp_path, name)


@pytest.mark.parametrize("name", NOT_NAMING)
def test_not_found(search: Search, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(NOT_NAMING[name])
    assert not search.file(tmp_path, name)


def test_what_cannot_be_read_may_name_anybody(search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "closed").write_bytes(b"?")
    assert not search.file(tmp_path, "closed")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert search.file(tmp_path, "closed")
    assert not search.file(tmp_path, "gone")


def test_nothing_to_look_for(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"anything")
    assert not Search([], []).file(tmp_path, "a")
