"""Photos inside archives: which there are, what they are called, and their bytes."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from encoded_pictures import encoded, small_picture

from phq.errors import InputError
from phq.photos.contents import photos_of
from phq.photos.decode import PhotoRejectError
from phq.photos.discover import Found

JPG = encoded(small_picture(), "JPEG")
PNG = encoded(small_picture(80, 60), "PNG")
FILES = {"b.jpg": JPG, "sub/a.png": PNG, "sub/ä b.jpg": JPG + b"\0", "notes.md": b"no picture"}
LITTER = {"__MACOSX/b.jpg": b"x", ".DS_Store": b"x", "sub/.hidden.jpg": b"x"}
ORDER = ["b.jpg", "notes.md", "sub/a.png", "sub/ä b.jpg"]


def zipped(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.mkdir("empty folder")
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def names(found: list[Found]) -> list[str]:
    return [photo.name for photo in found]


def reason(photo: Found) -> str:
    with pytest.raises(PhotoRejectError) as error:
        photo.decode()
    return error.value.reason


MAKERS = {
    "photos.zip": lambda path: zipped(path, FILES | LITTER),
    "stored.zip": lambda path: zipped(path, FILES | LITTER, zipfile.ZIP_STORED),
    "photos.tar": lambda path: tarred(path, FILES | LITTER),
    "photos.tar.gz": lambda path: tarred(path, FILES | LITTER, "w:gz"),
    "photos.tbz2": lambda path: tarred(path, FILES | LITTER, "w:bz2"),
    "photos.tar.xz": lambda path: tarred(path, FILES | LITTER, "w:xz"),
}


@pytest.mark.parametrize("name", MAKERS)
def test_an_archive_is_a_folder(tmp_path: Path, name: str) -> None:
    source = MAKERS[name](tmp_path / name)
    found = photos_of(source)
    assert sorted(names(found)) == ORDER
    by_name = {photo.name: photo for photo in found}
    for member, data in FILES.items():
        assert by_name[member].sha256() == hashlib.sha256(data).hexdigest()
    assert by_name["b.jpg"].decode().pixels.shape == (120, 160, 3)
    assert by_name["sub/a.png"].decode().format == "PNG"
    assert reason(by_name["notes.md"]) == "not_an_image"
    again = {photo.name: photo.fingerprint() for photo in photos_of(source)}
    assert again == {photo.name: photo.fingerprint() for photo in found}


def test_archives_in_a_folder_are_folders_of_their_name(tmp_path: Path) -> None:
    zipped(tmp_path / "one.zip", {"a.jpg": JPG})
    tarred(tmp_path / "two.TAR", {"./a.jpg": JPG, "/abs/../b.jpg": PNG})
    (tmp_path / "three.zip").write_bytes(JPG)  # a photo, whatever its name says
    (tmp_path / "four.jpg").write_bytes((tmp_path / "one.zip").read_bytes())  # here only the usual names are opened
    found = photos_of(tmp_path)
    assert names(found) == ["four.jpg", "one.zip/a.jpg", "three.zip", "two.TAR/a.jpg", "two.TAR/b.jpg"]
    assert reason(found[0]) == "not_an_image"
    assert [photo.decode().format for photo in found[1:]] == ["JPEG", "JPEG", "JPEG", "PNG"]
    (tmp_path / "list.txt").write_text("one.zip\n")
    assert names(photos_of(tmp_path / "list.txt")) == ["one.zip/a.jpg"]


def test_notes_beside_pictures_are_no_photos(tmp_path: Path) -> None:
    shard = tarred(tmp_path / "00000.tar", {f"000{n}.{kind}": JPG for n in "12" for kind in ("jpg", "json", "txt")})
    assert names(photos_of(shard)) == ["0001.jpg", "0002.jpg"]
    camera = zipped(tmp_path / "camera.zip", {"1.JPG": JPG, "1.json": b"{}", "1.txt": b"", "2.jpg": JPG, "2.TXT": b""})
    assert names(photos_of(camera)) == ["1.JPG", "2.jpg"]
    lonely = tarred(tmp_path / "a.tar", {"lonely.json": b"{}", "b.jpg": JPG})
    assert names(photos_of(lonely)) == ["b.jpg", "lonely.json"]


def test_members_of_a_compressed_tar_keep_its_order(tmp_path: Path) -> None:
    files = {f"{n}.jpg": bytes([n]) for n in (5, 1, 4, 2)}
    assert names(photos_of(tarred(tmp_path / "a.tgz", files, "w:gz"))) == ["5.jpg", "1.jpg", "4.jpg", "2.jpg"]
    assert names(photos_of(tarred(tmp_path / "a.tar", files))) == ["1.jpg", "2.jpg", "4.jpg", "5.jpg"]


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_that_is_gone_is_a_reject_like_any_photo(tmp_path: Path, kind: str) -> None:
    make = zipped if kind == "zip" else tarred
    (found,) = photos_of(make(tmp_path / f"a.{kind}", {"a.jpg": JPG}))
    found.path.unlink()
    assert (reason(found), found.sha256()) == ("missing_file", "")


def test_links_in_a_tar_lead_to_their_files(tmp_path: Path) -> None:
    with tarfile.open(tarred(tmp_path / "a.tar", {"sub/a.jpg": JPG}), "a") as archive:
        for name, kind, target in (
            ("hard.jpg", tarfile.LNKTYPE, "sub/a.jpg"), ("sub/soft.jpg", tarfile.SYMTYPE, "a.jpg"),
            ("gone.jpg", tarfile.SYMTYPE, "nowhere.jpg"), ("out.jpg", tarfile.SYMTYPE, "/etc/hostname"),
        ):  # fmt: skip
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
    found = {photo.name: photo for photo in photos_of(tmp_path / "a.tar")}
    assert found["hard.jpg"].sha256() == found["sub/soft.jpg"].sha256() == hashlib.sha256(JPG).hexdigest()
    assert reason(found["gone.jpg"]) == reason(found["out.jpg"]) == "missing_file"


def test_links_may_stand_before_what_they_lead_to_and_lead_to_links(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, target in (("1.jpg", "2.jpg"), ("2.jpg", "3.jpg"), ("ring.jpg", "ring.jpg")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
        info = tarfile.TarInfo("3.jpg")
        info.size = len(JPG)
        archive.addfile(info, io.BytesIO(JPG))
    found = {photo.name: photo for photo in photos_of(tmp_path / "a.tar")}
    assert {found[f"{n}.jpg"].sha256() for n in "123"} == {hashlib.sha256(JPG).hexdigest()}
    assert reason(found["ring.jpg"]) == "missing_file"


def test_an_archive_that_no_reader_understands_is_one_reject_among_the_photos(tmp_path: Path) -> None:
    (tmp_path / "good.jpg").write_bytes(JPG)
    content = bytearray(zipped(tmp_path / "a.zip", {"a.jpg": JPG}).read_bytes())
    content[content.rindex(b"PK\x01\x02") + 6] = 0xFF  # the version that is needed to extract
    (tmp_path / "a.zip").write_bytes(content)
    found = {photo.name: photo for photo in photos_of(tmp_path)}
    assert reason(found["a.zip"]) == "corrupt"
    assert found["good.jpg"].decode().format == "JPEG"


def test_a_name_that_occurs_twice_is_the_last_file_as_unpacking_leaves_it(tmp_path: Path) -> None:
    with tarfile.open(tarred(tmp_path / "a.tar", {"a.jpg": JPG}), "a") as archive:
        info = tarfile.TarInfo("a.jpg")
        info.size = len(PNG)
        archive.addfile(info, io.BytesIO(PNG))
    (found,) = photos_of(tmp_path / "a.tar")
    assert found.decode().format == "PNG"


def test_bad_members_have_their_reasons(tmp_path: Path) -> None:
    files = {"a.jpg": JPG, "empty.jpg": b"", "z.zip": b"PK\x03\x04" + bytes(40)}
    whole = zipped(tmp_path / "a.zip", files).read_bytes()
    found = {photo.name: photo for photo in photos_of(tmp_path / "a.zip")}
    assert reason(found["empty.jpg"]) == "is_empty"
    assert reason(found["z.zip"]) == "unsupported_format"
    damaged = bytearray(whole)
    damaged[200:220] = bytes(20)
    (tmp_path / "damaged.zip").write_bytes(damaged)
    assert reason(photos_of(tmp_path / "damaged.zip")[0]) == "corrupt"


def test_an_encrypted_member_is_unreadable(tmp_path: Path) -> None:
    flags = bytearray(zipped(tmp_path / "b.zip", {"a.jpg": JPG}).read_bytes())
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        flags[flags.rindex(magic) + offset] |= 1
    (tmp_path / "encrypted.zip").write_bytes(flags)
    (encrypted,) = photos_of(tmp_path / "encrypted.zip")
    with pytest.raises(PhotoRejectError, match="unreadable: encrypted"):
        encrypted.decode()


@pytest.mark.parametrize(("mode", "suffix"), [("w", "tar"), ("w:gz", "tar.gz")])
def test_a_cut_archive_gives_what_is_whole_and_says_so(tmp_path: Path, mode: str, suffix: str) -> None:
    noise = {f"{n}.jpg": encoded(small_picture(640 + n, 480), "JPEG", quality=95) for n in range(4)}
    whole = tarred(tmp_path / f"whole.{suffix}", noise, mode).read_bytes()
    (tmp_path / f"cut.{suffix}").write_bytes(whole[: int(len(whole) * 0.6)])
    found = {photo.name: photo for photo in photos_of(tmp_path / f"cut.{suffix}")}
    assert found["0.jpg"].decode().pixels.shape == (480, 640, 3)
    reasons = {reason(photo) for name, photo in found.items() if name not in ("0.jpg", "1.jpg")}
    assert reasons == {"truncated"}


def test_an_archive_that_cannot_be_used_is_an_error_alone_and_a_reject_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(InputError, match="a damaged zip archive"):
        photos_of(tmp_path / "a.zip")
    (tmp_path / "b.jpg").write_bytes(JPG)
    assert [reason(photo) for photo in photos_of(tmp_path)[:1]] == ["corrupt"]
    (tmp_path / "c.tar.zst").write_bytes(b"\x28\xb5\x2f\xfd" + bytes(100))
    with pytest.raises(InputError, match="Zstandard"):
        photos_of(tmp_path / "c.tar.zst")
    with pytest.raises(InputError, match="there is no photo in"):
        photos_of(zipped(tmp_path / "empty.zip", {}))


def test_an_archive_that_unpacks_itself_is_one(tmp_path: Path) -> None:
    plain = zipped(tmp_path / "plain.zip", FILES).read_bytes()
    (tmp_path / "setup.zip").write_bytes(b"MZ" + bytes(600) + plain)
    found = photos_of(tmp_path / "setup.zip")
    assert sorted(names(found)) == ORDER
    assert found[0].decode().pixels.shape == (120, 160, 3)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (gzip.compress(JPG), "no tar archive; decompress it"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(90), "7z archive; unpack it"),
        (b"Rar!\x1a\x07\1\0" + bytes(90), "RAR archive; unpack it"),
        (b"ARROW1\0\0" + bytes(90), "write it as Parquet"),
    ],
)
def test_collections_that_are_not_read_say_what_to_do(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "photos.tgz").write_bytes(data)
    with pytest.raises((InputError, PhotoRejectError), match=words) as error:
        photos_of(tmp_path / "photos.tgz")[0].decode()
    assert getattr(error.value, "reason", "unsupported_format") == "unsupported_format"
