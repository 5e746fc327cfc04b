"""Standard output and error that never end a command."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from curated_datasets import person, write

from phq.cli import COMMANDS, main
from phq.commands.ending import ExitCode
from phq.system.streams import lasting_output

ROOT = Path(__file__).parents[2]


class Broken(io.RawIOBase):
    """A stream that takes some bytes, then fails."""

    def __init__(self, error: type[OSError] | OSError, takes: int = 0) -> None:
        self.error, self.takes = error, takes

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if self.takes <= 0:
            raise self.error
        self.takes -= len(data)
        return len(data)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("printed") / "naïve-ń", [person(n) for n in range(4)])


def printed(monkeypatch: pytest.MonkeyPatch, encoding: str, *words: str) -> tuple[int, str]:
    """Exit code and decoded output of a command whose standard output has an encoding."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding))
    monkeypatch.setattr(sys, "argv", ["phq", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0), raw.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "ascii", "cp437", "utf-8"])
def test_statistics_print_in_the_encoding_of_the_output(encoding: str, dataset: Path, monkeypatch: pytest.MonkeyPatch):
    code, text = printed(monkeypatch, encoding, "stats", str(dataset))
    assert code == ExitCode.DONE
    assert "22.5 deg" in text if encoding == "ascii" else "22.5°" in text
    assert ("█" in text) == (encoding in ("cp437", "utf-8"))


@pytest.mark.parametrize("name", [name for commands in COMMANDS.values() for name in commands])
def test_help_prints_in_ascii(name: str, monkeypatch: pytest.MonkeyPatch):
    code, text = printed(monkeypatch, "ascii", *name.split(), "--help")
    assert code == ExitCode.DONE
    assert name.rsplit(maxsplit=1)[-1] in text


def test_json_on_the_output_is_json_in_every_encoding(dataset: Path, monkeypatch: pytest.MonkeyPatch):
    _, text = printed(monkeypatch, "latin-1", "verify", str(dataset), "--json", "-")
    assert json.loads(text)["command"] == "phq verify"


def test_a_name_that_is_not_utf8_is_printed_so_that_it_can_be_told(monkeypatch: pytest.MonkeyPatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "utf-8"))
    with lasting_output():
        print(os.fsdecode(b"photo-\xff.jpg"), "ń")
    assert raw.getvalue().decode() == "photo-\\udcff.jpg ń\n"


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_reader_that_has_gone_ends_nothing(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BufferedWriter(Broken(BrokenPipeError(32, "pipe"))), "utf-8"))
    with lasting_output() as output:
        for _ in range(3):
            print("line" * 9999, file=getattr(sys, name), flush=True)
        assert output.lost() is None


def test_a_full_disk_under_the_output_is_told_after_the_work(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
):
    full = io.BufferedWriter(Broken(OSError(28, "No space left on device"), takes=8))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(full, "utf-8"))
    monkeypatch.setattr(sys, "argv", ["phq", "stats", str(dataset)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == ExitCode.REFUSED
    assert "the standard output is incomplete: No space left on device" in capfd.readouterr().err


class Slow(Broken):
    """A pipe that does not block: every other write finds it full."""

    def __init__(self) -> None:
        self.got, self.full = b"", False

    def fileno(self) -> int:
        raise OSError

    def write(self, data: Any) -> int | None:  # type: ignore[override]
        self.full = not self.full
        if self.full:
            return None
        self.got += bytes(data[:7])
        return min(7, len(data))


def test_all_is_written_to_a_pipe_that_does_not_block(monkeypatch: pytest.MonkeyPatch):
    slow = Slow()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(slow), "utf-8"))
    with lasting_output():
        print("a line of more bytes than fit")
    assert slow.got == b"a line of more bytes than fit\n"


def _shell(line: str) -> Iterator[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PHQ": f"{sys.executable} {ROOT / 'cli.py'}"}
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=environment, check=False)
    yield from (str(done.returncode), done.stdout, done.stderr)


@pytest.mark.skipif(os.name == "nt", reason="closes descriptors as a POSIX shell does")
def test_output_that_is_closed_beforehand_receives_no_file_of_the_dataset(tmp_path: Path):
    code, _, _ = _shell(f"$PHQ synth {tmp_path}/set --count 2 --size 64 --workers 1 >&- 2>&-")
    assert code == "0"
    code, out, _ = _shell(f"$PHQ verify {tmp_path}/set")
    assert (code, "0 violations" in out or "sound" in out or bool(out)) == ("0", True)


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")
def test_a_command_ends_as_it_would_when_nobody_reads_on(dataset: Path):
    code, _, errors = _shell(f"set -o pipefail; $PHQ stats {dataset} | true")
    assert (code, [line for line in errors.splitlines() if not line.startswith("next: ")]) == ("0", [])
