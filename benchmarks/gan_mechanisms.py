"""What each mechanism alone does for `tiny` in equal processor time.

    phq synth DATASET --count 2000 --size 64 --pose-noise 10
    python benchmarks/gan_mechanisms.py DATASET OUT [--seconds 360] [--seeds 0 1] [--only base features]

Every run has one thread and ends after so many seconds of processor time, its start included; what is there already is
not run again. Printed is FD-MobileNetV2 of 500 pictures from the cameras that they are conditioned on. Three of the
mechanisms are no settings of phq: they are put in here.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor

from phq.generator.evaluate import fakes, real
from phq.generator.evaluate.distances import distances
from phq.generator.evaluate.extractors import PROXY, extractors_for
from phq.generator.evaluate.material import choose
from phq.generator.evaluate.report import rounded, write_report
from phq.generator.evaluate.run import torso_yaws
from phq.generator.evaluate.subject import read_trained
from phq.generator.networks.discriminator import Trunk
from phq.generator.train import losses
from phq.generator.train.phases import Phases
from phq.generator.train.run import train
from phq.generator.train.schedule import Now
from phq.generator.train.trained import checkpoint_after
from phq.synth.synthesising import COARSE

STAGES = "training.stages=[{{until_kimg=14.0, raw={raw}}}, {{until_kimg=38.0, train_pose=false, raw=[32, 32]}}]"
MECHANISMS: dict[str, list[str]] = {
    "base": [],
    "share": ["training.share_fakes=true"],
    "raw16": [STAGES.format(raw="[16, 24], raw_kimg=4.0")],
    "features": ["training.losses.features=1"],
    "hybrid": ["model.planes.kind=hybrid"],
    "r1high": ["training.losses.r1=1", "training.losses.r1_mask=1"],
    "r1falling": [],
    "ema": ["training.optimisers.ema_kimg=0.25"],
    "rays": ["model.render.coarse=6", "model.render.fine=6"],
    "trunk": ["model.pose.own_trunk=false"],
    "augment": [],
    "match": [],
}
"""Settings over the preset, by name: fakes that both networks learn from; a raw image that grows; a discriminator on
frozen features; hybrid planes; R1 at five times the weight, or falling from ten times; shorter averages; fewer samples
a ray; one trunk for verdict and pose; adaptive augmentation; feature matching."""
DISTANCES = "distances.json"
UNSEEN = [f"training.{name}=100" for name in ("checkpoint_kimg", "pictures.grid_kimg", "pictures.video_kimg")]


def falling_r1() -> None:
    """Ten times the weight of R1 at first, the preset's from 2,000 images on."""
    plain, seen = Phases.r1, 0

    def r1(self: Phases, parts: Any, now: Now) -> Any:
        nonlocal seen
        own, more = self.losses, max(1.0, 10 ** (1 - seen / 2000))
        seen += self.config.training.batch * own.r1_every
        self.losses = own.model_copy(update={"r1": own.r1 * more, "r1_mask": own.r1_mask * more})
        try:
            return plain(self, parts, now)
        finally:
            self.losses = own

    Phases.r1 = r1  # type: ignore[method-assign]


def adaptive_augmentation() -> None:
    """Colours alone, of real pictures and fakes: the pose is read off the same pictures.

    Brightness ± 0.2, contrast and saturation; the probability follows the sign of real logits to 0.6 (Karras 2020).
    """
    blurred, discriminator, probability = Phases._blurred, Phases.discriminator, 0.0

    def augmented(self: Phases, image: Tensor, raw: Tensor, now: Now) -> tuple[Tensor, Tensor]:
        on = (torch.rand(len(image), 1, 1, 1) < probability).float()
        bright, contrast, colour = ((torch.rand(len(image), 1, 1, 1) * 2 - 1) * on for _ in range(3))
        pictures = []
        for picture in blurred(self, image, raw, now):
            grey = picture.mean(1, keepdim=True)
            vivid = grey + (picture - grey) * (1 + colour)
            mean = vivid.mean((1, 2, 3), keepdim=True)
            pictures.append((vivid - mean) * (1 + 0.3 * contrast) + mean + 0.2 * bright)
        return pictures[0], pictures[1]

    def adapting(self: Phases, parts: Any, now: Now) -> Any:
        nonlocal probability
        scalars = discriminator(self, parts, now)
        step = 0.008 if float(scalars["sign/real"]) > 0.6 else -0.008
        probability = min(0.8, max(0.0, probability + step))
        return scalars

    Phases._blurred = augmented  # type: ignore[method-assign]
    Phases.discriminator = adapting  # type: ignore[method-assign]


def feature_matching() -> None:
    """The mean of the discriminator's last features over a batch of fakes against that of real ones (Salimans 2016)."""
    forward, fooled, judged = Trunk.forward, losses.fooled, losses.judged
    last: dict[str, Tensor] = {}

    def watched(self: Trunk, pictures: Tensor) -> Tensor:
        last["now"] = forward(self, pictures)
        return last["now"]

    def matching(fake: Tensor) -> Tensor:
        if "real" not in last:
            return fooled(fake)
        off = (last["now"].mean(0) - last["real"]).square().mean() / last["real"].square().mean()
        return fooled(fake) + off

    def remembering(fake: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        mean = last["now"].detach().mean(0)
        last["real"] = 0.9 * last.get("real", mean) + 0.1 * mean
        return judged(fake, real)

    Trunk.forward = watched  # type: ignore[method-assign]
    losses.fooled, losses.judged = matching, remembering


PUT_IN: dict[str, Callable[[], None]] = {
    "r1falling": falling_r1, "augment": adaptive_augmentation, "match": feature_matching,
}  # fmt: skip


def trained(name: str, seed: int, dataset: Path, run: Path, seconds: float) -> None:
    """In a process of its own."""
    torch.set_num_threads(1)
    PUT_IN.get(name, lambda: None)()
    signal.signal(signal.SIGPROF, lambda *_: os.kill(os.getpid(), signal.SIGTERM))  # a run ends well by SIGTERM
    signal.setitimer(signal.ITIMER_PROF, seconds)
    sets = [f"training.seed={seed}", *UNSEEN, *MECHANISMS[name]]
    train([dataset], run, preset="tiny", sets=sets, overlays=[COARSE])


def measured(dataset: Path, run: Path) -> None:
    """The distances of a run, in `DISTANCES`; a fifth of what `phq gan evaluate` computes."""
    torch.set_num_threads(1)
    found, cpu = checkpoint_after(run, None), torch.device("cpu")
    with torch.inference_mode():
        subject = read_trained(found, cpu)
        material = choose(dataset, subject.config, COARSE, 500, 0)
        extractor = {PROXY: extractors_for(cpu)[0][PROXY]}
        seen = real.look(material.trained, subject, extractor, 8)
        camera, poses = seen.camera[: material.count], seen.seen[: material.count]
        made = fakes.look(subject, fakes.people(subject, camera, poses, 0), extractor, 8)
        (average,) = extractor[PROXY](seen.mean_image[None])
    report = distances(seen.features[PROXY], {"coupled": made.features[PROXY]}, average, torso_yaws(camera))
    write_report(run / DISTANCES, rounded({"images": found.images, **report["coupled"]}))


def alone(work: Callable[..., Any], *args: Any) -> Any:
    """A call in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *args).result()


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=360)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", nargs="+", choices=MECHANISMS, default=list(MECHANISMS))
    options = parser.parse_args()
    print("| mechanism, seed | images | all | front | side | back |\n|" + "---|" * 6)
    for seed in options.seeds:
        for name in options.only:
            run = options.out / f"{name}-{seed}"
            if not run.exists():
                alone(trained, name, seed, options.dataset, run, options.seconds)
            if not (run / DISTANCES).exists():
                alone(measured, options.dataset, run)
            made = json.loads((run / DISTANCES).read_text())
            cells = [f"{made[side]:.0f}" for side in ("all", "front", "side", "back")]
            print(f"| {name}, {seed} | {made['images']:,} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
