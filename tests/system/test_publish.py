"""Files and folders of an export appear together, whenever it is killed."""

from __future__ import annotations

from pathlib import Path

import pytest
from file_faults import count_changes, kill_at

from phq.errors import OutputError
from phq.system.publish import published

WHOLE = {"set/0.png": b"picture", "set/deep/1.png": b"other", "set-mask.zip": b"masks"}


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def export(folder: Path) -> None:
    with published(folder / "set", folder / "set-mask.zip") as (pictures, masks):
        (pictures / "deep").mkdir(parents=True)
        (pictures / "0.png").write_bytes(b"picture")
        (pictures / "deep" / "1.png").write_bytes(b"other")
        masks.write_bytes(b"masks")


def test_killed_at_every_moment_and_run_again(tmp_path: Path) -> None:
    total = count_changes(tmp_path / "counted", lambda: export(tmp_path / "counted"))
    assert files(tmp_path / "counted") == WHOLE
    refused = 0
    for number in range(total):
        folder = tmp_path / str(number)
        assert not kill_at(number, folder, lambda: export(folder))  # noqa: B023
        try:
            export(folder)
        except OutputError as error:  # it was whole, and is not made twice
            assert "already exists" in str(error)
            refused += 1
        assert files(folder) == WHOLE, number
        assert sorted(path.name for path in folder.iterdir()) == ["set", "set-mask.zip"]
    assert 0 < refused < total


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), published(tmp_path / "a") as (staged,):
        staged.write_bytes(b"half")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set-mask.zip").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"set-mask\.zip already exists"):
        export(tmp_path)
    (tmp_path / "set-mask.zip").unlink()
    export(tmp_path)  # an empty folder gives way
    assert files(tmp_path) == WHOLE


def test_two_exports_into_one_folder_do_not_meet(tmp_path: Path) -> None:
    with published(tmp_path / "a") as (one,), published(tmp_path / "b") as (other,):
        one.write_bytes(b"1")
        other.write_bytes(b"2")
    assert files(tmp_path) == {"a": b"1", "b": b"2"}


@pytest.mark.parametrize("name", ["labels 11:30.zip", "a\\b"])
def test_a_name_that_not_every_system_takes_is_refused_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="without colon"), published(tmp_path / "new" / name):
        pass
    assert not list(tmp_path.iterdir())
