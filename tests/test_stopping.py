"""Ctrl-C and SIGTERM: everything ends, nothing half-written stays, and the same command goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = "import sys; from phq.cli import main; sys.argv[0] = 'phq'; main()"


def started(out: Path, workers: str) -> subprocess.Popen[str]:
    words = ["synth", str(out), "--count", "400", "--size", "64", "--workers", workers]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    return subprocess.Popen([sys.executable, "-c", CODE, *words], env=environment, **pipes)


def units(out: Path) -> list[Path]:
    return [path for path in sorted(out.glob(".phq-work/*.parquet")) if path.stem.isdigit()]


@pytest.mark.parametrize(
    ("number", "to_all"), [(signal.SIGINT, True), (signal.SIGTERM, False)], ids=["Ctrl-C", "SIGTERM"]
)
def test_being_stopped_is_clean(number: signal.Signals, to_all: bool, tmp_path: Path):
    out = tmp_path / "my set"
    process = started(out, "2")
    while not units(out) and process.poll() is None:
        time.sleep(0.05)
    # a terminal sends Ctrl-C to every process of the command
    (os.killpg if to_all else os.kill)(process.pid, number)
    _, said = process.communicate(timeout=120)  # returns when the last process has closed the pipe
    assert process.returncode == 130, said
    assert f"phq synth '{out}' --count 400 --size 64 --workers 2" in said
    assert "Traceback" not in said
    assert units(out)
    assert not list(out.rglob("*.tmp"))
