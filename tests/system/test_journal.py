"""A change of many files happens whole or not at all, whatever the moment of the kill."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from file_faults import count_changes, faults, kill_at

from phq.errors import InputError, OutputError
from phq.system.journal import JOURNAL, recover, stage

OLD = {"a.txt": b"old a", "deep/b.txt": b"old b", "deep/gone.txt": b"g", "val/only.txt": b"v", "same.txt": b"s"}
NEW = {"a.txt": b"new a", "deep/b.txt": b"new b", "more/far/c.txt": b"new c", "same.txt": b"s"}


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def lay(folder: Path, content: dict[str, bytes] = OLD) -> Path:
    for name, data in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def change(folder: Path) -> None:
    with stage(folder) as new:
        new.write("a.txt", NEW["a.txt"])
        new.write("more/far/c.txt", NEW["more/far/c.txt"])
        new.path("deep/b.txt").write_bytes(NEW["deep/b.txt"])
        for name in ("deep/gone.txt", "val/only.txt", "never/was.txt", "a.txt"):
            new.delete(name)


def test_a_change_is_made_and_leaves_nothing_behind(tmp_path: Path) -> None:
    change(lay(tmp_path))
    assert files(tmp_path) == NEW
    assert not (tmp_path / "val").exists()  # its only file is gone
    assert not (tmp_path / JOURNAL).exists()


def test_folders_are_flushed_before_the_record_goes(tmp_path: Path) -> None:
    """Or else a cut of the power could lose a new name whose record is gone already."""
    lay(tmp_path)
    with faults(tmp_path) as seen:
        change(tmp_path)
    record = seen.seen.index(("remove", f"{JOURNAL}/journal.json"))
    last_move = max(n for n, (what, _) in enumerate(seen.seen[:record]) if what in ("rename", "remove"))
    flushed = {path for what, path in seen.seen[last_move:record] if what == "fsync"}
    assert {"", "deep", "more", "more/far"} <= flushed


def test_an_error_inside_the_block_changes_nothing(tmp_path: Path) -> None:
    lay(tmp_path)
    with pytest.raises(ZeroDivisionError), stage(tmp_path) as new:
        new.write("a.txt", b"half")
        new.delete("same.txt")
        raise ZeroDivisionError
    assert files(tmp_path) == OLD


def test_killed_before_any_file_operation(tmp_path: Path) -> None:
    outcomes = []
    for number in range(1000):
        folder = lay(tmp_path / str(number))
        survived = kill_at(number, folder, lambda: change(folder))  # noqa: B023
        recover(folder)
        found = files(folder)
        assert found in (OLD, NEW), number
        outcomes.append(found == NEW)
        recover(folder)
        assert files(folder) == found
        if survived:
            break
    assert outcomes == sorted(outcomes)
    assert outcomes.count(False) > 10
    assert outcomes.count(True) > 10


def test_killed_again_and_again_while_it_recovers(tmp_path: Path) -> None:
    lay(tmp_path)
    number = 0
    while not committed(tmp_path):
        kill_at(number, tmp_path, lambda: change(tmp_path))
        number += 1
    for step in range(1000):
        if kill_at(step, tmp_path, lambda: recover(tmp_path)):
            break
    assert step > 5
    assert files(tmp_path) == NEW


def committed(folder: Path) -> bool:
    return (folder / JOURNAL / "journal.json").exists()


def test_a_process_that_is_really_killed(tmp_path: Path) -> None:
    program = """
import os, signal, sys
from pathlib import Path
from phq.system import journal
folder, where = Path(sys.argv[1]), sys.argv[2]
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
if where == "after the commit": journal._carry_out = die
with journal.stage(folder) as new:
    new.write("a.txt", b"new a")
    new.delete("same.txt")
    if where == "before the commit": die()
"""
    for where in ("before the commit", "after the commit"):
        folder = lay(tmp_path / where)
        done = subprocess.run([sys.executable, "-c", program, str(folder), where], check=False)
        assert done.returncode == -signal.SIGKILL
        assert (folder / JOURNAL).exists()
        recover(folder)
        kept = {name: data for name, data in OLD.items() if name not in ("a.txt", "same.txt")}
        assert files(folder) == (OLD if where == "before the commit" else kept | {"a.txt": b"new a"})


def test_everything_is_on_the_disk_before_the_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path)
    synced: set[int] = set()
    real, rename = os.fsync, Path.replace

    def fsync(handle: int) -> None:
        synced.add(os.fstat(handle).st_ino)
        real(handle)

    def replace(self: Path, target: Path) -> Path:
        if target.name == "journal.json":
            new = tmp_path / JOURNAL / "new"
            assert all(path.stat().st_ino in synced for path in [self, new, *new.rglob("*")])
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    change(tmp_path)
    assert files(tmp_path) == NEW


def test_what_was_carried_out_is_on_the_disk_before_the_record_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(tmp_path)
    synced: list[int] = []
    checked: list[str] = []
    fsync, replace, unlink = os.fsync, Path.replace, Path.unlink

    def noted(handle: int) -> None:
        synced.append(os.fstat(handle).st_ino)
        fsync(handle)

    def moved(self: Path, target: Path) -> Path:
        synced.clear()  # what was synced earlier does not hold this change of a folder
        return replace(self, target)

    def removed(self: Path, missing_ok: bool = False) -> None:
        if self.name == "journal.json":
            folders = [folder for folder in (".", "deep", "more", "more/far") if (tmp_path / folder).exists()]
            checked.extend(folders)
            assert all((tmp_path / folder).stat().st_ino in synced for folder in folders)
        else:
            synced.clear()
        unlink(self, missing_ok)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(Path, "replace", moved)
    monkeypatch.setattr(Path, "unlink", removed)
    change(tmp_path)
    assert files(tmp_path) == NEW
    assert checked == [".", "deep", "more", "more/far"]


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), KeyboardInterrupt()])
def test_a_committed_change_that_meets_an_error_is_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    lay(tmp_path)
    rename = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if target == tmp_path / "deep" / "b.txt":
            raise error
        return rename(self, target)

    with monkeypatch.context() as patched, pytest.raises((OutputError, KeyboardInterrupt)):
        patched.setattr(Path, "replace", replace)
        change(tmp_path)
    recover(tmp_path)
    assert files(tmp_path) == NEW


def test_a_living_change_is_left_alone_and_a_second_one_refused(tmp_path: Path) -> None:
    lay(tmp_path)
    with stage(tmp_path) as new:
        new.write("a.txt", b"mine")
        recover(tmp_path)  # what a reader does
        with pytest.raises(OutputError, match="another phq process"), stage(tmp_path):
            pass
    assert files(tmp_path) == OLD | {"a.txt": b"mine"}


def test_a_change_starts_by_settling_the_last_one(tmp_path: Path) -> None:
    lay(tmp_path)
    for number in range(1000):
        kill_at(number, tmp_path, lambda: change(tmp_path))
        if committed(tmp_path):
            break
    with stage(tmp_path) as new:
        new.write("later.txt", b"later")
    assert files(tmp_path) == NEW | {"later.txt": b"later"}


@pytest.mark.parametrize("name", ["../out.txt", "/etc/x", "", "a/../../b", ".phq-journal/x", "a\\b", "C:x", "a//b"])
def test_nothing_outside_the_folder_can_be_named(tmp_path: Path, name: str) -> None:
    folder = lay(tmp_path / "set")
    with stage(folder) as new:
        for call in (new.path, new.delete):
            with pytest.raises(ValueError, match="not a path of a file"):
                call(name)
    (folder / JOURNAL).mkdir()
    (folder / JOURNAL / "journal.json").write_text(json.dumps({"move": [], "delete": [name]}))
    with pytest.raises(InputError, match="damaged"):
        recover(folder)
    assert {k: v for k, v in files(folder).items() if not k.startswith(JOURNAL)} == OLD


def test_a_damaged_journal_is_named(tmp_path: Path) -> None:
    lay(tmp_path)
    (tmp_path / JOURNAL).mkdir()
    for record in ("", "[]", '{"move": ["not/staged"], "delete": []}'):
        (tmp_path / JOURNAL / "journal.json").write_text(record)
        with pytest.raises(InputError, match="damaged"):
            recover(tmp_path)


def test_a_folder_in_the_place_of_a_file_is_refused_in_time(tmp_path: Path) -> None:
    lay(tmp_path)
    with pytest.raises(OutputError, match="is a folder"), stage(tmp_path) as new:
        new.delete("deep")
    assert files(tmp_path) == OLD


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("record", [None, {"move": [], "delete": ["a.txt"]}])
def test_a_folder_that_cannot_be_written(tmp_path: Path, record: dict[str, list[str]] | None) -> None:
    lay(tmp_path)
    (tmp_path / JOURNAL).mkdir()
    if record:
        (tmp_path / JOURNAL / "journal.json").write_text(json.dumps(record))
    try:
        (tmp_path / JOURNAL).chmod(0o500)
        tmp_path.chmod(0o500)
        if record:
            with pytest.raises(OutputError, match="must be finished"):
                recover(tmp_path)
        else:
            recover(tmp_path)
    finally:
        tmp_path.chmod(0o700)
        (tmp_path / JOURNAL).chmod(0o700)


def fill_disk(patch: pytest.MonkeyPatch, folder: Path, room: int) -> None:
    """No more than `room` new files and folders fit on the disk."""
    made: list[Path] = []

    def while_there_is_room(real: Callable[..., Any]) -> Callable[..., Any]:
        def method(self: Path, *args: Any, **options: Any) -> Any:
            if folder in self.parents and not self.exists() and args[:1] != ("rb",):
                made.append(self)
                if len(made) > room:
                    raise OSError(errno.ENOSPC, "No space left on device", str(self))
            return real(self, *args, **options)

        return method

    for name in ("mkdir", "open"):
        patch.setattr(Path, name, while_there_is_room(getattr(Path, name)))


def test_a_full_disk_is_a_sentence_wherever_it_is_met(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(folder: Path) -> None:
        with stage(folder) as new:
            for name, content in NEW.items():
                new.write(name, content)

    for room in range(99):
        folder = lay(tmp_path / str(room))
        with monkeypatch.context() as patch:
            fill_disk(patch, folder, room)
            try:
                write(folder)
            except OutputError as error:
                assert "disk is full" in str(error) or "No space left" in str(error)
            else:
                break
        recover(folder)
        assert files(folder) in (OLD, OLD | NEW)
    assert room > 5
    assert files(folder) == OLD | NEW


def test_the_killer_kills(tmp_path: Path) -> None:
    """Tests the tests: from the chosen operation on, nothing reaches the disk."""

    def write() -> None:
        (tmp_path / "one").write_bytes(b"1")
        (tmp_path / "two").write_bytes(b"2")

    assert not kill_at(1, tmp_path, write)
    assert files(tmp_path) == {"one": b"1"}
    assert kill_at(2, tmp_path, write)
    assert count_changes(tmp_path, write) == 2
    assert files(tmp_path) == {"one": b"1", "two": b"2"}
