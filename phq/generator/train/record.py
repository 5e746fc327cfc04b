"""What a run tells while it goes on: a progress bar, a log of scalars, TensorBoard."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.tensorboard import SummaryWriter

from phq.system.atomic import output_errors, write_bytes
from phq.system.bars import bar

LOG = "log.jsonl"
BOARD = "tensorboard"


class Record:
    """Means of the scalars since the last line, and the pictures; of the first process alone.

    ``log.jsonl`` has a line of scalars for every `Training.log_kimg`, beginning with ``images``; ``seconds`` is the
    only one that depends on the machine.

    Args:
        run: folder of the run.
        images: number that the run begins or goes on with; what was logged after it is forgotten.
        total: number that it ends with.
        quiet: no bar.

    Raises:
        OutputError: the folder cannot be written to.
    """

    def __init__(self, run: Path, images: int, total: int, quiet: bool) -> None:
        self.run = run
        self._sums: dict[str, tuple[Any, int]] = {}
        self._forget_after(images)
        with output_errors(run):
            self._board = SummaryWriter(str(run / BOARD), purge_step=images)
        self._bar = bar(total=total, initial=images, unit="img", quiet=quiet, smoothing=0.05)
        self._since = time.monotonic()

    def add(self, scalars: Mapping[str, Any], images: int) -> None:
        """A step of so many images; a scalar that it lacks does not count. Tensors stay where they are until `log`."""
        for name, value in scalars.items():
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = (total + value, count + 1)
        self._bar.update(images)

    def log(self, images: int, now: dict[str, float]) -> None:
        """A line of means, and of what the schedules say; none if there was no step since the last.

        Raises:
            OutputError: it cannot be written.
        """
        if not self._sums:
            return
        seconds, self._since = time.monotonic() - self._since, time.monotonic()
        means = {name: float(total) / count for name, (total, count) in self._sums.items()}
        line = {"images": images, **means, **now, "seconds": round(seconds, 3)}
        with output_errors(self.run / LOG):
            with (self.run / LOG).open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(line, sort_keys=True) + "\n")
            for name, value in line.items():
                self._board.add_scalar(name, value, images)
            self._board.flush()
        shown = {"G": means.get("loss/generator"), "D": means.get("loss/fake", 0) + means.get("loss/real", 0)}
        self._bar.set_postfix({name: f"{value:.2f}" for name, value in shown.items() if value is not None})
        self._sums = {}

    def show(self, name: str, images: int, picture: NDArray[np.uint8]) -> None:
        """A picture (H, W, 3) for TensorBoard.

        Raises:
            OutputError: it cannot be written.
        """
        with output_errors(self.run / BOARD):
            self._board.add_image(name, picture, images, dataformats="HWC")

    def say(self, sentence: str) -> None:
        """A line above the bar."""
        self._bar.write(sentence)

    def state(self) -> dict[str, Any]:
        """The means that are under way."""
        return {name: [float(total), count] for name, (total, count) in self._sums.items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on with them."""
        self._sums = {name: (float(total), int(count)) for name, (total, count) in state.items()}

    def close(self) -> None:
        """The run is over, or stopped."""
        self._bar.close()
        with output_errors(self.run / BOARD):
            self._board.close()

    def _forget_after(self, images: int) -> None:
        path = self.run / LOG
        with output_errors(path):
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
        kept = [line for line in lines if line.endswith("\n") and json.loads(line)["images"] <= images]
        if kept != lines:
            write_bytes(path, "".join(kept).encode())
