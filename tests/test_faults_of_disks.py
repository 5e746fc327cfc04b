"""Commands at a disk that is full or faulty, or ended: one sentence, and run again the same files.

`tools/fault_injection.py` tries every command at every operation; here are a few of each kind.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from curated_datasets import files, overlay, person, reject_of, write
from file_faults import KilledError, faults

from phq.building.finalise.result import Written
from phq.commands.ending import interruptible
from phq.curate.bake import bake
from phq.curate.redact import redact
from phq.curate.split import split
from phq.dataset.marks_log import open_log
from phq.errors import OutputError, PhqError
from phq.exchange.coco import export_coco
from phq.exchange.export import export_labels
from phq.view.review.overlay import fold

KEYS = [str(person(n).row["key"]) for n in range(4)]


def review(folder: Path) -> None:
    """Mark, if that was not done, and fold."""
    with open_log(folder / "set", lambda: "2026-01-02T03:04:05.000+00:00") as log:
        if not len(log.marks):
            log.mark("ann", "keep", "", KEYS[:1])
        fold(folder / "set", log.marks)


COMMANDS: dict[str, Callable[[Path], object]] = {
    "bake": lambda f: bake(f / "set", f / "new"),
    "redact": lambda f: redact(f / "set", KEYS[1:2], reason="asked to", day="2026-01-02"),
    "review": review,
    "split": lambda f: split(f / "set", "other", "source", val=0.5),
    "export labels": lambda f: export_labels(f / "set", f / "out", "panohead"),
    "export coco": lambda f: export_coco(f / "set", f / "out"),
}


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("start") / "at"
    samples = [*(person(n) for n in range(3)), person(3, "val")]
    write(folder / "set", samples, [reject_of(person(20))], sheet=False)
    overlay(folder / "set", "v2", [{"key": key, "blur": 0.5} for key in KEYS])
    with open_log(folder / "set"):
        pass
    return folder


@pytest.mark.parametrize("kind", ["enospc", "eio", "raise"])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_sentence_and_the_same_in_the_end(start: Path, tmp_path: Path, name: str, kind: str) -> None:
    command, spot = COMMANDS[name], tmp_path / "at"
    shutil.copytree(start, spot)
    with faults(spot) as plan:
        command(spot)
    want, total = files(spot), len(plan.seen)
    for number in (total // 4, total // 2, 3 * total // 4, total - 6):
        shutil.rmtree(spot)
        shutil.copytree(start, spot)
        with faults(spot, kind, number), suppress(KilledError):
            try:
                command(spot)
            except PhqError as error:
                assert "tmp" in str(error), "it names a file"
        with suppress(PhqError):  # it was whole, and is not made twice
            command(spot)
        assert files(spot) == want, (number, plan.seen[number])


def test_an_error_of_the_disk_that_nothing_explains_is_a_sentence_with_the_file(
    start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(start, tmp_path / "at")

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("phq.curate.redact.read_tombstones", fail)
    with pytest.raises(OutputError, match=r"cannot read or write .*at/set: the disk reports an input/output error"):
        redact(tmp_path / "at" / "set", KEYS[:1])


def test_an_error_that_is_not_of_a_disk_passes(start: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise FileNotFoundError(2, "No such file", "gone")

    monkeypatch.setattr("phq.curate.redact.Stored", fail)
    with pytest.raises(FileNotFoundError):
        redact(start / "set", KEYS[:1])


def test_rows_of_what_was_just_written_that_the_disk_does_not_give(start: Path) -> None:
    """They are read only when asked for, outside the call that wrote them."""
    with (
        faults(start, "eio", 0),
        pytest.raises(OutputError, match=r"rejects\.parquet: the disk reports"),
    ):
        _ = Written(start / "set").rejects


def test_a_command_that_reads_once_more_when_its_work_is_done() -> None:
    def fail() -> None:
        raise OSError(5, "Input/output error", "somewhere/run.json")

    with pytest.raises(OutputError, match=r"cannot read or write somewhere/run.json: the disk reports"):
        interruptible("nothing is lost")(fail)()
