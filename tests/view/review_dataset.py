"""Small datasets to review, and a real server of one."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelled_samples import labelled_sample, labels
from tiny_datasets import TinySample, write_tiny

from phq.camera.convention import orbit, world2cam
from phq.pose.body import load_body

WAIT = 180
"""Seconds after which something has not happened, on a machine that is busy with other things."""
TOKEN = "a-token-for-the-tests-only"
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>.jpg"
_COMMAND = "from phq.commands.look import review_command; import sys, typer; typer.run(review_command)"


def review_sample(number: int, **changes: Any) -> TinySample:
    """A sample whose body stands before its camera, with scores that grow with its number."""
    pose = labels(10.0 * number)["smpl_pose"]
    neck = world2cam(orbit(10.0 * number))[:3, 3]
    fields = {
        "smpl_betas": [0.0] * 10, "smpl_transl": load_body().transl_for_neck(pose, neck).tolist(),
        "blur": number / 100, "p_flip": 0.01, "margin": 0.1, "image_size": 64,
    }  # fmt: skip
    return labelled_sample(number, **(fields | changes))


def review_samples(count: int, **changes: Any) -> list[TinySample]:
    """Samples number 0 to `count` − 1, in their order."""
    return [review_sample(number, **changes) for number in range(count)]


def review_dataset(folder: Path, count: int = 24, **changes: Any) -> list[str]:
    """A dataset to review; its keys, in order."""
    samples = review_samples(count, **changes)
    write_tiny(folder, samples)
    return [sample.row["key"] for sample in samples]


@dataclass
class Server:
    """A real ``phq review`` in a process of its own."""

    process: subprocess.Popen[str]
    port: int
    lines: list[str]

    @property
    def url(self) -> str:
        """The link that it printed."""
        return f"http://127.0.0.1:{self.port}/?token={TOKEN}"

    def kill(self) -> None:
        """SIGKILL: no word of farewell."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> str:
        """SIGTERM, and what it said until it ended."""
        self.process.terminate()
        self.process.wait(timeout=WAIT)
        return "".join(self.lines)


def start_server(folder: Path, port: int = 0) -> Server:
    """Start a server, and wait for its link."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PHQ_REVIEW_TOKEN": TOKEN}
    command = [sys.executable, "-c", _COMMAND, str(folder), "--port", str(port), "--reviewer", "ann"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, bufsize=1
    )
    lines: list[str] = []
    said: queue.Queue[str] = queue.Queue()

    def read() -> None:
        assert process.stdout
        for line in process.stdout:
            lines.append(line)
            said.put(line)
        said.put("")

    threading.Thread(target=read, daemon=True).start()
    while line := said.get(timeout=WAIT):
        if line.startswith("http://127.0.0.1:"):
            return Server(process, int(line.split(":")[2].split("/")[0]), lines)
    raise AssertionError("the server ended: " + "".join(lines))
