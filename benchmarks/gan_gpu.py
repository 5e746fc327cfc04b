"""Training and drawing on a GPU: seconds a thousand images by part, memory, and what each setting buys.

    python benchmarks/gan_gpu.py [PRESET [ROUNDS]] [--published PICTURES_A_SECOND]

PRESET: paper-512 by default. Parts are the phases of a step of `phq.generator.train` on made-up pictures; R1 counts by
its share of the steps. Times are medians of ROUNDS (10) after three steps that are not counted, from CUDA's own events,
so that nothing in between waits for the GPU. Memory is the most that torch held. Breaks in the graph of what
torch.compile is given are counted by torch._dynamo, on any device. `--published` takes a rate that
somebody else's generator is known to draw with on the same GPU, and the table says how phq's compares.

No GPU was at hand when this was written: its numbers are in no document. On a CPU it runs (with `tiny`), as a test of
itself, by the clock and without memory.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
import torch._dynamo
from train import DEVICE, Step

from phq.generator.networks.rng import SampleRng
from phq.generator.train.ranks import set_tf32

VARIANTS: dict[str, list[str]] = {
    "as it is": [],
    "TF32": ["training.tf32=true"],
    "bfloat16": ["model.precision='bfloat16'"],
    "float16, scaled losses": ["model.precision='float16'"],
    "channels first": ["training.channels_last=false"],
    "compiled": ["training.compile=true"],
}
WARM = 3


def seconds(work: Callable[[], object], rounds: int) -> float:
    """Median of one call."""
    for _ in range(WARM):
        work()
    if DEVICE.type != "cuda":
        times = []
        for _ in range(rounds):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
        return statistics.median(times)
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(rounds + 1)]
    marks[0].record()
    for mark in marks[1:]:
        work()
        mark.record()
    torch.cuda.synchronize()
    return statistics.median(a.elapsed_time(b) / 1000 for a, b in pairwise(marks))


def parts(step: Step, rounds: int) -> dict[str, float]:
    """Seconds a thousand images of each phase."""
    phases, training = step.phases, step.training
    pairs = list(zip(step.real, step.conditions, strict=True))
    found = {
        "generator": seconds(lambda: phases.generator(step.conditions, step.now), rounds),
        "discriminator": seconds(lambda: phases.discriminator(pairs, step.now), rounds),
        "R1": seconds(lambda: phases.r1(step.real, step.now), rounds) / training.losses.r1_every,
        "averages": seconds(lambda: step.networks.average(0.999), rounds),
    }
    return {name: value * 1000 / training.batch for name, value in found.items()}


def breaks(step: Step) -> dict[str, int]:
    """Breaks in the graph of each part that torch.compile is given, counted by torch._dynamo on any device."""
    g, d, condition = step.networks.g, step.networks.d, step.conditions[0]
    rng = SampleRng(list(range(len(condition.camera))), DEVICE)
    with torch.no_grad():
        ws = g.mapping(torch.zeros(len(condition.camera), g.config.latent, device=DEVICE), condition.camera)
        seen = g.synthesis(ws, condition.camera, resolution=step.now.raw)
    features = torch.zeros(len(ws), g.config.planes.channels, 64, device=DEVICE)
    wide = torch.zeros(len(ws), g.config.render.features, step.now.raw, step.now.raw, device=DEVICE)
    pictures = torch.cat([seen["image"]] * 2 + [seen["image"][:, :1]], dim=1)
    calls: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "backbone": (g.backbone, (ws, g.backbone.noises(rng))),
        "decoder": (g.decoder, (features,)),
        "super-resolution": (g.superres, (seen["raw"], wide, ws[:, -1])),
        "discriminator": (d.trunk, (pictures,)),
    }
    if g.background is not None:
        calls["background"] = (g.background, (ws[:, : g.background.num_ws], g.background.noises(rng)))
    return {name: torch._dynamo.explain(part)(*inputs).graph_break_count for name, (part, inputs) in calls.items()}


@torch.no_grad()
def drawing(step: Step, rounds: int) -> dict[str, float]:
    """Pictures a second, one at a time: of new people, and of one whose planes are kept."""
    g, camera = step.networks.g_ema, step.conditions[0].camera[:1]
    z = torch.randn(1, g.config.latent, device=DEVICE)
    ws = g.mapping(z, camera)
    planes = g.draw_planes(ws)
    return {
        "new people": 1 / seconds(lambda: g(z, camera), rounds),
        "one person turned": 1 / seconds(lambda: g.synthesis(ws, camera, planes=planes), rounds),
    }


def measure(preset: str, rounds: int, published: float | None) -> None:
    """Print a row for each of `VARIANTS`, then the rates of drawing."""
    print(
        f"{preset} on {torch.cuda.get_device_name() if DEVICE.type == 'cuda' else 'a CPU'}, torch {torch.__version__}\n"
    )
    print(
        "| s a thousand images | generator | discriminator | R1 | averages | all | GiB |\n|---|---|---|---|---|---|---|"
    )
    for name, sets in VARIANTS.items():
        step = Step(preset, sets)
        set_tf32(step.training.tf32)
        if DEVICE.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        found = parts(step, rounds)
        held = f"{torch.cuda.max_memory_allocated() / 2**30:.1f}" if DEVICE.type == "cuda" else "–"
        row = [f"{value:.1f}" for value in (*found.values(), sum(found.values()))]
        print(f"| {name} | {' | '.join(row)} | {held} |", flush=True)
        if name == "as it is":
            rates, broken = drawing(step, rounds), breaks(step)
    print("\nbreaks in the graph: " + ", ".join(f"{name} {count}" for name, count in broken.items()))
    print("\n| pictures a second | phq | published | phq / published |\n|---|---|---|---|")
    for name, rate in rates.items():
        other = ("–", "–") if published is None else (f"{published:g}", f"{rate / published:.2f}")
        print(f"| {name} | {rate:.1f} | {other[0]} | {other[1]} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", nargs="?", default="paper-512")
    parser.add_argument("rounds", nargs="?", type=int, default=10)
    parser.add_argument("--published", type=float)
    arguments = parser.parse_args()
    measure(arguments.preset, arguments.rounds, arguments.published)


if __name__ == "__main__":
    main()
