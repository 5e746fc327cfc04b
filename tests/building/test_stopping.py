"""Ctrl-C and SIGTERM: everything ends, nothing half-written stays, and the same command goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from phq.building.build import build

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CODE = "import sys; from phq.cli import main; sys.argv[0] = 'phq'; main()"


def started(out: Path, workers: str) -> subprocess.Popen[str]:
    words = ["synth", str(out), "--count", "400", "--size", "64", "--workers", workers]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    return subprocess.Popen([sys.executable, "-c", CODE, *words], env=environment, **pipes)


def of_session(number: int) -> list[str]:
    """Processes that a command and its children have left."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = status.read_text().rpartition(")")
        except OSError:
            continue
        if int(rest.split()[3]) == number and rest.split()[0] != "Z":
            found.append(name)
    return found


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


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system does not list processes there")
def test_a_build_on_ray_that_is_stopped_leaves_nobody_and_is_continued(tmp_path: Path):
    pytest.importorskip("ray")
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    for path in sorted((ROOT / "examples" / "photos").glob("*.jpg"))[:9]:
        (photos / path.name).write_bytes(path.read_bytes())
    options = ["--size", "64", "--fast", "--preset", "everything"]
    words = ["build", str(photos), str(out), *options, "--executor", "ray", "--workers", "1"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "start_new_session": True}
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", CODE, *words], env=environment, **pipes)
    while not units(out) and process.poll() is None:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert f"phq build {photos} {out}" in said
    assert "Traceback" not in said
    patience = time.monotonic() + 30
    while of_session(process.pid) and time.monotonic() < patience:
        time.sleep(0.1)
    assert of_session(process.pid) == []
    done = len(units(out))
    assert 0 < done < 3
    again = build(photos, out, preset="everything", size=64, fast=True, workers=1)
    assert (again.photos, again.counts["stages"]["read"]["photos"]) == (9, 9)
    assert not list(out.rglob("*.tmp"))
