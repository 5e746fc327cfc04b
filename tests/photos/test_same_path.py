"""Paths of a list in another spelling than their files."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from phq.photos.discover import discover
from phq.photos.same_path import existing, spelled_alike


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a\\b.jpg", "a/b.jpg"),
        ("./a/b.jpg", "a/b.jpg"),
        (".\\a.jpg", "a.jpg"),
        ("e\u0301.jpg", "\u00e9.jpg"),
        ("a.jpg ", "a.jpg"),
    ],
)
def test_spellings_of_one_path(one: str, other: str) -> None:
    assert spelled_alike(one) == spelled_alike(other)


def test_case_is_another_path() -> None:
    assert spelled_alike("A.jpg") != spelled_alike("a.jpg")


def test_a_list_finds_files_in_another_spelling_and_says_how_many(tmp_path: Path) -> None:
    name = unicodedata.normalize("NFD", "caf\u00e9")
    (tmp_path / name).mkdir()
    (tmp_path / name / "a.jpg").write_bytes(b"1")
    (tmp_path / "b.jpg").write_bytes(b"2")
    listed = tmp_path / "list.txt"
    listed.write_text("caf\u00e9\\a.jpg\n./b.jpg\nabsent\\c.jpg\n", encoding="utf-8")
    said: list[str] = []
    found = {entry.name: entry.path.exists() for entry in discover(listed, said.append)}
    assert found == {f"{name}/a.jpg": True, "b.jpg": True, "absent\\c.jpg": False}
    assert len(said) == 1
    assert said[0].startswith("1 paths of")
    assert "such as caf\u00e9\\a.jpg" in said[0]


def test_a_path_that_could_be_two_files_is_named_and_not_read(tmp_path: Path) -> None:
    for form in ("NFC", "NFD"):
        (tmp_path / unicodedata.normalize(form, "\u00e9\u00e8.jpg")).write_bytes(b"")
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("this file system takes both for one name")
    said: list[str] = []
    assert existing(tmp_path, "\u00e9e\u0300.jpg", said.append) is None or not said
    mixed = "\u00e9e\u0300.jpg"  # composed and decomposed: exactly neither
    assert existing(tmp_path, "sub\\..\\" + mixed, said.append) is not None or "could be" in said[0]


def test_nothing_is_spelled_like_a_file_in_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert existing(tmp_path, "no\\such.jpg", print) is None
