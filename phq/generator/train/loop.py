"""The training loop: steps, and between them what is logged, shown and saved."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import current_thread, main_thread
from types import FrameType
from typing import Any

import numpy as np
import torch

from phq.generator.train import checkpoint, rng
from phq.generator.train.config import RunConfig
from phq.generator.train.data import Feed
from phq.generator.train.mixture import Mixture
from phq.generator.train.networks import Networks
from phq.generator.train.phases import DivergedError, Phases, Scalars
from phq.generator.train.preview import Preview, save_png, save_video
from phq.generator.train.ranks import Ranks
from phq.generator.train.record import Record
from phq.generator.train.schedule import Now, due, ema_decay, now

PICTURES = "pictures"


class Trainer:
    """The state of a run, and one step of it. Everything that a step depends on is in `state`.

    Args:
        config: of the run.
        mixture: what is trained on.
        ranks: this process among all.
    """

    def __init__(self, config: RunConfig, mixture: Mixture, ranks: Ranks) -> None:
        self.config, self.training, self.ranks = config, config.training, ranks
        self.feed = Feed(mixture, self.training, config.model.resolution, ranks)
        self.networks = Networks(config, ranks.device)
        self.phases = Phases(config, self.networks, ranks)
        self.images, self.steps = 0, 0

    def step(self) -> Scalars:
        """One batch; scalars of all processes together, left on the device: to read one is to wait for the step.

        Raises:
            DivergedError: a gradient is no finite number; the weights are those of before that phase.
        """
        today, losses = now(self.training, self.images), self.training.losses
        conditions = self.feed.conditions(self.images)
        scalars = self.phases.generator(conditions, today)
        if losses.density and self.steps % losses.density_every == 0:
            scalars |= self.phases.density(conditions, today)
        real = self.feed.real()
        if not self.training.share_fakes:
            conditions = self.feed.conditions(self.images)
        pairs = list(zip(real, conditions, strict=True))
        scalars |= self.phases.discriminator(pairs, today)
        if self.networks.critic is not None:
            scalars |= self.phases.critic(pairs)
        if self.steps % losses.r1_every == 0:
            scalars |= self.phases.r1(real, today)
        self.images, self.steps = self.images + self.training.batch, self.steps + 1
        self.networks.average(ema_decay(self.training, self.images))
        return self._summed(scalars)

    def _summed(self, scalars: Scalars) -> Scalars:
        values = self.ranks.total(torch.stack([value.float() for value in scalars.values()]))
        return dict(zip(scalars, values.unbind(), strict=True))

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Tensors by name, and the rest, for json."""
        tensors, numbers = rng.states()
        facts = {
            "config": self.config.model_dump(mode="json"),
            "steps": self.steps,
            "rng": numbers,
            "loader": {name: stream.state() for name, stream in self.feed.streams.items()},
            "scalers": {name: scaler.state_dict() for name, scaler in self.networks.scalers.items()},
        }
        return self.networks.tensors() | tensors, facts

    def restore(self, saved: checkpoint.Checkpoint) -> None:
        """Go on from a checkpoint.

        Raises:
            InputError: it is damaged, or of another model or of other data.
        """
        facts, tensors = saved.facts(), saved.read()
        for name, stream in self.feed.streams.items():
            stream.restore(facts["loader"][name])
        self.networks.restore(tensors)
        self.networks.set_rates(self.training)
        for name, scaler in self.networks.scalers.items():
            scaler.load_state_dict(facts["scalers"][name])
        rng.restore(tensors, facts["rng"])
        self.images, self.steps = saved.images, facts["steps"]


class Loop:
    """A run from where `trainer` stands to its end, or until somebody stops it.

    Args:
        trainer: of every process.
        run: folder of the run.
        record: of the first process; None on the others.
        intrinsics: (9,) of the cameras that pictures are shown with.
    """

    def __init__(self, trainer: Trainer, run: Path, record: Record | None, intrinsics: np.ndarray[Any, Any]) -> None:
        self.trainer, self.run, self.record = trainer, run, record
        training = trainer.training
        self.total = training.kimg * 1000
        self.preview = Preview(training.pictures.people, training.seed, intrinsics, trainer.ranks.device)
        self._began = self._saved = trainer.images
        self._asked_to_stop = False

    def go(self) -> bool:
        """Train; whether the run reached its end. Either way it is saved.

        Raises:
            DivergedError: with the checkpoint to go back to.
            OutputError: full disk; the last checkpoint is whole.
        """
        trainer, training = self.trainer, self.trainer.training
        with self._listening():
            if trainer.images == 0:
                self._show(grid=True, video=False)
            stopped = False
            while trainer.images < self.total and not stopped:
                before = trainer.images
                scalars = self._step()
                if self.record is not None:
                    self.record.add(scalars, training.batch)
                if due(before, trainer.images, training.log_kimg):
                    self._log()
                pictures = training.pictures
                self._show(*(due(before, trainer.images, k) for k in (pictures.grid_kimg, pictures.video_kimg)))
                stopped = trainer.ranks.any(self._asked_to_stop)
                if due(before, trainer.images, training.checkpoint_kimg):
                    self._save()
        over = trainer.images >= self.total
        if self._saved != trainer.images:
            self._save()
        if over and trainer.images != self._began:
            self._log()
            self._show(grid=True, video=True)
        return over

    def _step(self) -> Scalars:
        with self._explained():
            return self.trainer.step()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """A `DivergedError` with what can be done."""
        try:
            yield
        except DivergedError as error:
            found = checkpoint.checkpoints(self.run)
            back = f"the last good checkpoint is {found[-1].path}; go on from it with --resume and" if found else (
                "there is no checkpoint yet; begin again with"
            )  # fmt: skip
            raise DivergedError(
                f"stopped after {self.trainer.images} images: {error}; {back} lower learning rates "
                "(--set training.optimisers.rate_g=…, rate_d=…) or a larger training.losses.r1"
            ) from None

    def _log(self) -> None:
        with self._explained():
            self.trainer.phases.check()
        if self.record is not None:
            self.record.log(self.trainer.images, _numbers(now(self.trainer.training, self.trainer.images)))

    def _show(self, grid: bool, video: bool) -> None:
        if self.record is None or not (grid or video):
            return
        g, images = self.trainer.networks.g_ema, self.trainer.images
        raw = now(self.trainer.training, images).raw
        if grid:
            pixels = self.preview.grid(g, raw)
            save_png(self.run / PICTURES / f"{images:09d}.png", pixels)
            self.record.show("people", images, pixels)
        frames = self.trainer.training.pictures.frames
        if video:
            self.record.say(f"filming people once around, {frames} frames")
            if not save_video(self.run / PICTURES / f"{images:09d}.mp4", self.preview.orbit(g, raw, frames)):
                self.record.say("no video: it needs imageio-ffmpeg (pip install 'phq[train]')")

    def _save(self) -> None:
        with self._explained():
            self.trainer.phases.check()
        self._saved = self.trainer.images
        if self.record is not None:
            tensors, facts = self.trainer.state()
            facts["log"] = self.record.state()
            checkpoint.write(self.run, self.trainer.images, tensors, facts, self.trainer.training.keep)

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Ctrl-C, or a scheduler's SIGTERM, ends the run after the step.

        A second one ends it at once; but not under torchrun, which sends every signal twice.
        """

        def stop(number: int, _frame: FrameType | None) -> None:
            self._asked_to_stop = True
            if self.trainer.ranks.world == 1:
                signal.signal(number, signal.default_int_handler)

        heard = (signal.SIGINT, signal.SIGTERM) if current_thread() is main_thread() else ()
        old = {number: signal.signal(number, stop) for number in heard}
        try:
            yield
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)


def _numbers(today: Now) -> dict[str, float]:
    """Of the schedules, for the log."""
    return {
        "now/stage": today.number + 1,
        "now/raw": today.raw,
        "now/blur": today.blur,
        "now/swap": today.swap,
        "now/density_noise": today.density_noise,
        "now/coarse_pose": today.coarse_pose,
    }
