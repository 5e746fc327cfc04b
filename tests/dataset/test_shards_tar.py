"""A shard: fixed bytes, members at the offsets it reports, and never half a file under the final name."""

from __future__ import annotations

import errno
import io
import os
import resource
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phq.dataset.layout import sample_bytes, shard_bytes
from phq.dataset.tar import ShardWriter, read_member
from phq.errors import OutputError
from phq.system.atomic import atomic_write, write_bytes

KEYS = [f"{n:016x}" for n in range(40)]
MEMBERS = {"mask.png": b"mask", "jpg": b"image" * 200, "json": b"{}"}


def write_shard(path: Path, count: int = 3) -> None:
    with ShardWriter(path) as shard:
        for key in KEYS[:count]:
            shard.add(key, MEMBERS)


def full_disk(_: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_members_are_in_the_order_of_the_format_with_fixed_headers(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.tar")
    with tarfile.open(tmp_path / "a.tar") as tar:
        headers = tar.getmembers()
    assert [h.name for h in headers] == [f"{k}.{m}" for k in KEYS[:3] for m in ("jpg", "json", "mask.png")]
    owners = {(h.mtime, h.uid, h.gid, h.uname, h.gname, h.mode) for h in headers}
    assert owners == {(0, 0, 0, "phq", "phq", 0o644)}
    assert headers[0].offset_data == 512  # plain headers of one block, no extensions


@pytest.mark.parametrize("count", [0, 3, 20])
def test_the_bytes_are_those_of_tarfile(tmp_path: Path, count: int) -> None:
    write_shard(tmp_path / "a.tar", count)
    with tarfile.open(tmp_path / "b.tar", "w") as tar:
        for name, content in ((f"{key}.{name}", MEMBERS[name]) for key in KEYS[:count] for name in sorted(MEMBERS)):
            header = tarfile.TarInfo(name)
            header.size, header.mode, header.uname, header.gname = len(content), 0o644, "phq", "phq"
            tar.addfile(header, io.BytesIO(content))
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_same_samples_same_bytes_whatever_the_name_and_umask(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.tar")
    before = os.umask(0o077)
    try:
        write_shard(tmp_path / "elsewhere" / "b.tar")
    finally:
        os.umask(before)
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "elsewhere" / "b.tar").read_bytes()


sizes = st.one_of(st.integers(0, 1600), st.sampled_from([511, 512, 513, 10239, 10240]))


@given(st.lists(st.tuples(sizes, sizes, sizes), max_size=6))
def test_offsets_lead_to_the_members_and_the_size_is_as_planned(
    tmp_path_factory: pytest.TempPathFactory, samples: list[tuple[int, int, int]]
) -> None:
    path = tmp_path_factory.mktemp("shard") / "a.tar"
    contents = [{"jpg": b"j" * a, "json": b"o" * b, "mask.png": bytes([n]) * c} for n, (a, b, c) in enumerate(samples)]
    with ShardWriter(path, "train/a.tar") as shard:
        rows = [shard.add(key, content) for key, content in zip(KEYS, contents, strict=False)]
    places = [[(row[f"{name}_offset"], row[f"{name}_size"]) for name in ("jpg", "json", "mask")] for row in rows]
    for content, place in zip(contents, places, strict=True):
        assert [read_member(path, *where) for where in place] == list(content.values())
    with tarfile.open(path) as tar:
        found = [(h.offset_data, h.size) for h in tar.getmembers()]
    assert found == [where for place in places for where in place]
    assert {row["shard"] for row in rows} <= {"train/a.tar"}
    assert path.stat().st_size == shard_bytes(sum(sample_bytes(s) for s in samples))


@pytest.mark.parametrize("members", [{}, {"jpg": b""}, MEMBERS | {"depth.npy": b""}])
def test_a_sample_must_have_every_member(tmp_path: Path, members: dict[str, bytes]) -> None:
    with pytest.raises(ValueError, match=KEYS[0]), ShardWriter(tmp_path / "a.tar") as shard:
        shard.add(KEYS[0], members)
    assert list(tmp_path.iterdir()) == []


def test_reading_past_the_end_is_an_error(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.tar")
    with pytest.raises(ValueError, match=r"a\.tar ends before"):
        read_member(tmp_path / "a.tar", (tmp_path / "a.tar").stat().st_size - 1, 2)


def test_the_final_name_appears_only_when_the_shard_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with ShardWriter(path) as shard:
        shard.add(KEYS[0], MEMBERS)
        assert not path.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["a.tar"]


def test_an_error_leaves_the_earlier_shard_and_no_tmp(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.tar", 2)
    before = (tmp_path / "a.tar").read_bytes()
    with pytest.raises(KeyError), ShardWriter(tmp_path / "a.tar") as shard:
        shard.add(KEYS[0], MEMBERS)
        raise KeyError
    assert [p.name for p in tmp_path.iterdir()] == ["a.tar"]
    assert (tmp_path / "a.tar").read_bytes() == before


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OutputError, match=r"a\.tar: the disk is full; .*run the same command again"):
        write_shard(tmp_path / "a.tar")
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, limits[1]))  # the kernel refuses the bytes beyond
    try:
        with pytest.raises(OutputError, match=r"a\.tar: the file grew larger"):
            write_shard(tmp_path / "a.tar", 40)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


WORDS = {
    errno.EACCES: "no permission",
    errno.EROFS: "read-only",
    errno.EDQUOT: "quota",
    errno.EIO: "cannot write",
}


@pytest.mark.parametrize(("code", "words"), WORDS.items())
def test_other_failures_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str) -> None:
    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match=words):
        write_bytes(tmp_path / "a", b"x")


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "photos").write_bytes(b"not a folder")
    with pytest.raises(OutputError, match="photos"):
        write_bytes(tmp_path / "photos" / "out" / "a", b"x")


def test_a_failed_read_inside_the_block_is_not_blamed_on_the_output(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "a"):
        (tmp_path / "no such input").read_bytes()
    assert list(tmp_path.iterdir()) == []
