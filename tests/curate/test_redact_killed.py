"""A redaction that is killed leaves the old dataset or the new one, and can be started again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from curated_datasets import files, overlay, person, reject_of, write
from file_faults import count_changes, kill_at

from phq.curate.redact import redact
from phq.dataset.reader import Dataset
from phq.errors import OutputError
from phq.system.journal import recover

pytestmark = pytest.mark.slow

DAY = "2026-01-02"
COMMIT = 30
"""At least as many changes as the commit and all after it."""


def test_killed_at_moments_all_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every moment of the commit and of what follows, and every few before it."""
    monkeypatch.setattr("os.fsync", lambda _: None)
    samples = [*(person(n) for n in range(3)), person(3, "val")]
    original = write(tmp_path / "original", samples, [reject_of(person(20))], sheet=False)
    overlay(original, "v2", [{"key": sample.row["key"], "blur": 0.5} for sample in samples])
    keys = [samples[1].row["key"], samples[3].row["key"]]
    counted = shutil.copytree(original, tmp_path / "counted")
    total = count_changes(counted, lambda: redact(counted, keys, day=DAY))
    old, new = files(original), files(counted)
    assert old != new
    outcomes = []
    for number in sorted({*range(0, total, 6), *range(total - COMMIT, total)}):
        folder = shutil.copytree(original, tmp_path / str(number))
        assert not kill_at(number, folder, lambda: redact(folder, keys, day=DAY))  # noqa: B023
        recover(folder)
        assert files(folder) in (old, new), number
        outcomes.append(files(folder) == new)
        if number % 12 == 0:
            redact(folder, keys, day=DAY)
            assert files(folder) == new
        shutil.rmtree(folder)
    assert outcomes == sorted(outcomes)
    assert outcomes[-COMMIT] is False
    assert outcomes[-1] is True


def test_whoever_opens_a_killed_dataset_sees_the_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = [person(n) for n in range(9)]
    folder, key = write(tmp_path / "set", samples, sheet=False), samples[3].row["key"]
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("phq.system.journal._carry_out", _interrupt)
        redact(folder, [key])
    assert (folder / ".phq-journal" / "journal.json").exists()
    assert key not in Dataset(folder)
    assert not (folder / ".phq-journal").exists()


def _interrupt(_: Path) -> None:
    raise KeyboardInterrupt


def test_a_full_disk_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = [person(n) for n in range(9)]
    folder = write(tmp_path / "set", samples, sheet=False)
    before = files(folder)
    calls = 0

    def fsync(_: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 5:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fsync)
    with pytest.raises(OutputError, match="disk is full"):
        redact(folder, [samples[3].row["key"]])
    assert files(folder) == before
