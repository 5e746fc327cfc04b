"""Kill -9 of a build's whole process tree at random moments, each followed by a restart: are the bytes the same?

    python benchmarks/kills.py examples/photos /tmp/kills --kills 20 --workers 2

Every round builds into a folder of its own, is killed at a moment drawn from the time that the uninterrupted build
took, and is continued. What a killed build has left that is neither finished nor named temporary is a failure too.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

TIMES = "run.json"


def digests(out: Path) -> dict[str, str]:
    """sha256 of every file but the record of the run."""
    files = (path for path in sorted(out.rglob("*")) if path.is_file() and path.name != TIMES)
    return {path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def start(photos: Path, out: Path, options: argparse.Namespace) -> subprocess.Popen[bytes]:
    """A build in a session of its own."""
    words = ["build", str(photos), str(out), "--size", str(options.size), "--workers", str(options.workers)]
    command = [sys.executable, "-c", "from phq.cli import main; main()", *words]
    return subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def killed(build: subprocess.Popen[bytes], after: float) -> bool:
    """Kill the tree after so many seconds; whether it was still running."""
    try:
        build.wait(after)
    except subprocess.TimeoutExpired:
        os.killpg(build.pid, signal.SIGKILL)
        build.wait()
        return True
    return False


def main() -> None:
    """Run it; exit code 1 if any round ends in other bytes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("scratch", type=Path, help="a new folder")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.scratch.mkdir(parents=True)
    began = time.monotonic()
    assert start(options.photos, options.scratch / "whole", options).wait() == 0
    whole, length = digests(options.scratch / "whole"), time.monotonic() - began
    print(f"uninterrupted: {length:.1f} s, {len(whole)} files")
    rng, wrong = random.Random(options.seed), 0
    for number in range(options.kills):
        out, moment = options.scratch / "killed", rng.uniform(0, length)
        was_running = killed(start(options.photos, out, options), moment)
        there = (out / "manifest.parquet").exists()
        done = start(options.photos, out, options).wait()
        same = done in (0, 2 if there else 0) and digests(out) == whole
        wrong += not same
        state = "killed" if was_running else "had finished"
        print(f"{number + 1:3d}  {state} at {moment:6.2f} s  {'same bytes' if same else 'OTHER BYTES'}", flush=True)
        shutil.rmtree(out)
    print(f"{wrong} of {options.kills} ended in other bytes")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
