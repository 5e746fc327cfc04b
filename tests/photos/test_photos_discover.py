"""Which files a folder, list, glob or single path stands for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from phq.errors import InputError
from phq.photos.discover import discover


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def names(source: str | Path) -> list[str]:
    return [found.name for found in discover(source)]


def test_a_folder_gives_every_file_whatever_its_suffix(tmp_path: Path) -> None:
    touch(tmp_path / "b.jpg", tmp_path / "sub" / "deep" / "a.png", tmp_path / "notes.md", tmp_path / "no-suffix")
    assert names(tmp_path) == ["b.jpg", "no-suffix", "notes.md", "sub/deep/a.png"]


def test_order_is_that_of_bytes_and_paths_lead_to_the_files(tmp_path: Path) -> None:
    unordered = ("é.jpg", "z.jpg", "Z.jpg", "a b.jpg", "a/1.jpg", "a-1.jpg", "10.jpg", "9.jpg")
    touch(*(tmp_path / name for name in unordered))
    found = discover(str(tmp_path))
    expected = ["10.jpg", "9.jpg", "Z.jpg", "a b.jpg", "a-1.jpg", "a/1.jpg", "z.jpg", "é.jpg"]
    assert [f.name for f in found] == expected
    assert all(f.path == tmp_path / f.name and f.path.is_file() for f in found)


def test_hidden_files_and_litter_are_left_out(tmp_path: Path) -> None:
    litter = (".hidden.jpg", ".git/a.jpg", "Thumbs.db", "THUMBS.DB", "desktop.ini", ".DS_Store", "@eaDir/a.jpg")
    touch(*(tmp_path / name for name in litter), tmp_path / "__MACOSX" / "a.jpg", tmp_path / "a.jpg")
    assert names(tmp_path) == ["a.jpg"]


def test_a_folder_that_is_called_like_a_photo_is_a_folder(tmp_path: Path) -> None:
    touch(tmp_path / "x.jpg" / "inside.jpg")
    assert names(tmp_path) == ["x.jpg/inside.jpg"]


@pytest.mark.skipif(os.name != "posix", reason="links need no rights only here")
class TestLinks:
    def test_linked_files_and_broken_links_are_found(self, tmp_path: Path) -> None:
        touch(tmp_path / "elsewhere" / "a.jpg")
        root = tmp_path / "root"
        root.mkdir()
        (root / "link.jpg").symlink_to(tmp_path / "elsewhere" / "a.jpg")
        (root / "dangling.jpg").symlink_to("nothing.jpg")
        (root / "loop.jpg").symlink_to("loop.jpg")
        os.mkfifo(root / "pipe.jpg")
        assert names(root) == ["dangling.jpg", "link.jpg", "loop.jpg", "pipe.jpg"]

    def test_linked_folders_are_entered_once_and_loops_end(self, tmp_path: Path) -> None:
        root = tmp_path / "root"
        touch(root / "a" / "1.jpg", tmp_path / "elsewhere" / "2.jpg", tmp_path / "not-asked-for.jpg")
        (root / "a" / "self").symlink_to(root / "a")
        (root / "a" / "top").symlink_to(root)
        (root / "above").symlink_to(tmp_path)
        (root / "again").symlink_to(root / "a")
        (root / "out").symlink_to(tmp_path / "elsewhere")
        (root / "out2").symlink_to(tmp_path / "elsewhere")
        (tmp_path / "elsewhere" / "back").symlink_to(root)
        assert names(root) == ["a/1.jpg", "out/2.jpg"]

    def test_a_name_that_is_no_utf8_becomes_text(self, tmp_path: Path) -> None:
        try:
            touch(tmp_path / os.fsdecode(b"caf\xe9.jpg"))
        except OSError:
            pytest.skip("this file system takes UTF-8 names only")
        (found,) = discover(tmp_path)
        assert found.name == "caf\\xe9.jpg"
        assert found.path.is_file()


def test_a_subfolder_that_cannot_be_listed_is_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "locked" / "b.jpg")
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert names(tmp_path) == ["a.jpg", "locked"]
    with pytest.raises(InputError, match="permissions"):
        discover(tmp_path / "locked")


def test_a_single_photo_is_recorded_by_its_file_name(tmp_path: Path) -> None:
    touch(tmp_path / "sub" / "a.jpg", tmp_path / "sub" / "b.jpg")
    (found,) = discover(tmp_path / "sub" / "a.jpg")
    assert (found.path, found.name) == (tmp_path / "sub" / "a.jpg", "a.jpg")


class TestList:
    def test_lines_are_relative_to_the_list(self, tmp_path: Path) -> None:
        touch(tmp_path / "in" / "a b.jpg", tmp_path / "in" / "sub" / "c.jpg")
        list_file = tmp_path / "in" / "photos.txt"
        list_file.write_text("# the best\n\n  sub/c.jpg  \na b.jpg\n./a b.jpg\nabsent.jpg\n")
        found = discover(list_file)
        assert [f.name for f in found] == ["a b.jpg", "absent.jpg", "sub/c.jpg"]
        assert [f.path.exists() for f in found] == [True, False, True]

    def test_files_elsewhere_have_names_of_their_own(self, tmp_path: Path) -> None:
        touch(tmp_path / "in" / "a.jpg", tmp_path / "other" / "a.jpg", tmp_path / "a.jpg")
        list_file = tmp_path / "in" / "list.txt"
        list_file.write_text(f"a.jpg\n../a.jpg\n{tmp_path / 'other' / 'a.jpg'}\n")
        found = discover(list_file)
        assert [f.name for f in found] == ["../a.jpg", "../other/a.jpg", "a.jpg"]
        assert all(f.path.is_file() for f in found)

    def test_quotes_round_a_path_are_none_of_it(self, tmp_path: Path) -> None:
        touch(tmp_path / "a b.jpg", tmp_path / "c.jpg", tmp_path / '"d.jpg"')
        (tmp_path / "list.txt").write_text('"a b.jpg"\n\'c.jpg\'\n"d.jpg"\n"e.jpg"\n')
        said: list[str] = []
        found = [f.name for f in discover(tmp_path / "list.txt", said.append)]
        assert found == ['"d.jpg"', '"e.jpg"', "a b.jpg", "c.jpg"]
        (sentence,) = said
        assert sentence.startswith("2 paths of") and sentence.endswith('slashes and quotes, such as "a b.jpg"')

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    @pytest.mark.parametrize("newline", ["\n", "\r\n"])
    def test_encodings_of_every_system(self, tmp_path: Path, encoding: str, newline: str) -> None:
        list_file = tmp_path / "list.TXT"
        list_file.write_bytes(newline.join(["ü.jpg", "照片.jpg", ""]).encode(encoding))
        assert names(list_file) == ["ü.jpg", "照片.jpg"]


class TestGlob:
    @pytest.fixture
    def tree(self, tmp_path: Path) -> Path:
        touch(*(tmp_path / name for name in ("a.jpg", "b.png", "x/c.jpg", "x/y/d.jpg", ".cache/e.jpg", "z/c.jpg.md")))
        return tmp_path

    @pytest.mark.parametrize(
        ("pattern", "expected"),
        [
            ("*.jpg", ["a.jpg"]),
            ("*/*.jpg", ["x/c.jpg"]),
            ("**/*.jpg", ["a.jpg", "x/c.jpg", "x/y/d.jpg"]),
            ("**/y/*", ["x/y/d.jpg"]),
            ("x/**", ["c.jpg", "y/d.jpg"]),
            ("[ab].???", ["a.jpg", "b.png"]),
            ("**/x/**/*.jpg", ["x/c.jpg", "x/y/d.jpg"]),
        ],
    )
    def test_patterns(self, tree: Path, pattern: str, expected: list[str]) -> None:
        assert names(tree / pattern) == expected

    def test_brackets_in_the_name_of_a_real_folder_are_no_pattern(self, tmp_path: Path) -> None:
        touch(tmp_path / "shoot [1]" / "a.jpg")
        assert names(tmp_path / "shoot [1]") == ["a.jpg"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("absent", "no such file or folder"),
        ("empty", "has no files"),
        ("only-hidden", "has no files"),
        ("empty/*.jpg", "matches no file"),
        ("only-text/*.jpg", "matches no file"),
        ("absent/*.jpg", "no such folder"),
        ("blank.txt", "names no photo"),
        ("binary.txt", "not a text file"),
        ("urls.txt", "names URLs, such as https://example.org/1.jpg"),
    ],
)
def test_unusable_inputs_are_told_in_a_sentence(tmp_path: Path, source: str, words: str) -> None:
    (tmp_path / "empty").mkdir()
    touch(tmp_path / "only-hidden" / ".a.jpg", tmp_path / "only-text" / "a.md")
    (tmp_path / "blank.txt").write_text("\n# nothing\n")
    (tmp_path / "binary.txt").write_bytes(b"\x89PNG\0\0")
    (tmp_path / "urls.txt").write_text("a.jpg\nhttps://example.org/1.jpg\n")
    with pytest.raises(InputError, match=words) as error:
        discover(tmp_path / source)
    assert str(tmp_path / source.split("/", 1)[0]) in str(error.value)


def test_a_list_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "list.txt")

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(InputError, match=r"list\.txt cannot be read: Permission denied"):
        discover(tmp_path / "list.txt")


def test_brackets_in_the_name_of_a_folder_are_no_pattern(tmp_path: Path) -> None:
    folder = tmp_path / "shoot [1]"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"a")
    assert [found.path for found in discover(folder / "*.jpg")] == [folder / "a.jpg"]
    with pytest.raises(InputError, match="no such file or folder"):
        discover(folder / "b.jpg")
