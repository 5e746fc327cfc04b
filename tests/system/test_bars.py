"""Progress bars say how far the work is, how long it takes still, and how much memory it holds."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

from phq.errors import OutputError
from phq.system.bars import bar
from phq.system.memory import used_memory
from phq.system.sizes import check_room, say_size, size_text


def test_a_bar_has_count_time_left_and_memory() -> None:
    stream = io.StringIO()
    with bar(total=4, unit="shard", desc="verify", quiet=False, file=stream, mininterval=0) as shown:
        shown.update()
        shown.set_postfix_str("2 kept")
    line = stream.getvalue().split("\r")[2]
    assert line.startswith("verify:")
    assert "1/4 [" in line
    assert "<" in line  # elapsed < left
    assert re.search(r"\d [MG]B memory", stream.getvalue())
    assert "2 kept, " in stream.getvalue()


def test_a_quiet_bar_counts_and_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(bar(range(3), unit="face", quiet=True)) == [0, 1, 2]
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system does not tell")
def test_memory_of_workers_counts() -> None:
    alone = used_memory()
    program = "x = bytearray(80_000_000); print(1, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1) as worker:
        assert worker.stdout is not None
        worker.stdout.readline()
        assert used_memory() > alone + 70_000_000
        worker.communicate(b"\n")


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (39_866_251, "39.9 MB"), (999_960, "1.0 MB"), (10**9, "1.0 GB"),
     (5 * 10**15, "5000.0 TB")],
)  # fmt: skip
def test_sizes_for_people(size: int, text: str) -> None:
    assert size_text(size) == text


def test_a_size_is_said_before_and_what_does_not_fit_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    say_size("writing to OUT", 1200, quiet=False)
    say_size("writing to OUT", 1200, quiet=True)
    assert capsys.readouterr().err == "phq: writing to OUT: 1.2 kB\n"
    check_room(tmp_path / "not" / "yet", 1)
    with pytest.raises(OutputError, match=r"needs 1000000\.0 TB, and its disk has .* left; nothing was written"):
        check_room(tmp_path / "not" / "yet", 10**18)
    assert not (tmp_path / "not").exists()
