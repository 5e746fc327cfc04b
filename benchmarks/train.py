"""A training step of the bundled generator, part by part: ratios within one run.

    python benchmarks/train.py [SETTING [ROUNDS]]       SETTING: tiny, 128, or a preset; tiny and 128 by default
    python benchmarks/train.py --cost PRESET            operations of one image, and what a run of them costs

A step is what `phq.generator.train` does: the generator's phase, then the discriminator's on as many fakes and real
pictures, and R1 in one step of sixteen. The parts of the generator run forward and backward in the first, forward
alone in the second. Each is run by itself on what it was given in a real step, after a few steps of training, with
poses of 10° (an untrained predictor says the rest pose, which needs no work). "Rest" is what the whole step takes
more than the parts together: optimisers, averages, losses. Reading pictures is left out: benchmarks/read.py measures
it.

Then whole steps, with one thing changed: what is bought by it, or costs.

Parts and variants take turns in each of ROUNDS rounds. A time is the median over the rounds, a ratio the median of the
ratios within each round. Times are of this machine and this moment; only the ratios mean anything. Each setting runs in
a process of its own, whose largest size is printed.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from phq.camera.convention import intrinsics, orbit
from phq.generator.networks import volume
from phq.generator.train.config import load_run_config
from phq.generator.train.data import Conditions, Real
from phq.generator.train.losses import r1
from phq.generator.train.networks import Networks
from phq.generator.train.phases import Phases
from phq.generator.train.ranks import Ranks
from phq.generator.train.schedule import Now, now

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
SETTINGS: dict[str, tuple[str, list[str]]] = {
    "tiny": ("tiny", []),
    "128": (
        "tiny",
        [
            "model.resolution=128",
            "model.superres={input=64, channels=[64, 32]}",
            "model.planes={resolution=128, channels=16, depth=3, channel_base=4096, channel_max=256}",
            "model.render.resolution=64",
            "model.render.hidden=32",
            "model.background={channel_base=1024, channel_max=64}",
            "model.discriminator={channel_base=4096, channel_max=256, mapping_layers=2, one_pass=true}",
            "training.stages=[{until_kimg=1000.0, raw=[64, 64]}]",
            "training.batch=4",
            "training.part=4",
        ],
    ),
}
VARIANTS = {
    "no deformation": ["model.deformation.enabled=false"],
    "D looks twice, as upstream": ["model.discriminator.one_pass=false"],
    "R1 in every step": ["training.losses.r1_every=1"],
    "hybrid planes": ["model.planes.kind='hybrid'"],
    "bfloat16": ["model.precision='bfloat16'"],
    "channels first": ["training.channels_last=false"],
}
LAZY = "R1, one step's share"
Call = Callable[[], Any]


class Step:
    """Whole training steps of a configuration on made-up pictures."""

    def __init__(self, preset: str, sets: list[str]) -> None:
        self.config = load_run_config(preset, sets=sets)
        self.training = self.config.training
        self.networks = Networks(self.config, DEVICE)
        self.phases = Phases(self.config, self.networks, Ranks(0, 1, DEVICE))
        with torch.no_grad():
            for net in (self.networks.g, self.networks.d):
                net.pose.layers[-1].bias.fill_(0.1)
        self.now: Now = now(self.training, 1000 * round(self.training.losses.blur_kimg))
        self.steps = 0
        count = self.training.part
        labels = [[*orbit(360 * i / count, 5).ravel(), *intrinsics().ravel()] for i in range(count)]
        camera = torch.tensor(np.array(labels), dtype=torch.float32, device=DEVICE)
        side = self.config.model.resolution
        g = torch.Generator(DEVICE).manual_seed(1)
        image = torch.rand(count, 3, side, side, generator=g, device=DEVICE) * 2 - 1
        mask = torch.rand(count, 1, side, side, generator=g, device=DEVICE)
        pose, parts = camera.new_zeros(count, 6), self.training.batch // count
        self.real = [Real(image, mask, camera, pose)] * parts
        self.conditions = [Conditions(range(i * count, (i + 1) * count), camera, pose) for i in range(parts)]

    def __call__(self) -> None:
        self.phases.generator(self.conditions, self.now)
        pairs = list(zip(self.real, self.conditions, strict=True))
        self.phases.discriminator(pairs, self.now)
        if self.networks.critic is not None:
            self.phases.critic(pairs)
        if self.steps % self.training.losses.r1_every == 0:
            self.phases.r1(self.real, self.now)
        self.networks.average(0.999)
        self.steps += 1


def seconds(work: Call) -> float:
    """Of one call."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def leaves(found: Any) -> Iterator[Tensor]:
    """Tensors in nested tuples, lists and dicts."""
    if isinstance(found, Tensor):
        yield found
    elif isinstance(found, dict):
        yield from leaves(list(found.values()))
    elif isinstance(found, (tuple, list)):
        for part in found:
            yield from leaves(part)


def forward(work: Call) -> None:
    """Without gradients."""
    with torch.no_grad():
        work()


def both_ways(work: Call, inputs: list[Tensor], net: nn.Module | None) -> None:
    """Forward, and backward to inputs and weights."""
    results = [value for value in leaves(work()) if value.requires_grad]
    sources = inputs + ([p for p in net.parameters() if p.requires_grad] if net is not None else [])
    torch.autograd.grad(results, sources, [torch.ones_like(value) for value in results], allow_unused=True)


def captured(step: Step) -> dict[str, list[tuple[Any, ...]]]:
    """What the parts of the generator are given in one rendering of one part of a batch."""
    g, seen = step.networks.g, dict[str, list[tuple[Any, ...]]]()

    def keep(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def kept(*args: Any, **options: Any) -> Any:
            seen.setdefault(name, []).append(args)
            return work(*args, **options)

        return kept

    parts = {"backbone": g.backbone, "background": g.background, "deformation": g.deformation,
             "decoder": g.decoder, "superres": g.superres}  # fmt: skip
    plain = {name: part.forward for name, part in parts.items() if part is not None}
    sample, render = g.representation.sample, volume.render
    for name, call in plain.items():
        parts[name].forward = keep(name, call)
    g.representation.sample = keep("sample", sample)
    volume.render = keep("render", render)
    try:
        with torch.no_grad():
            people = step.phases.people(step.conditions[0], step.now, 0)
            shown = step.phases.render(people, step.conditions[0], step.now, 1)
    finally:
        volume.render, g.representation.sample = render, sample
        for name, call in plain.items():
            parts[name].forward = call
    return seen | {"shown": [(shown["image"], shown["raw"], shown["mask"])]}


def fresh(args: tuple[Any, ...]) -> tuple[tuple[Any, ...], list[Tensor]]:
    """The same arguments with tensors that want gradients, and these."""
    copies = [a.detach().requires_grad_() if isinstance(a, Tensor) and a.is_floating_point() else a for a in args]
    return tuple(copies), [a for a in copies if isinstance(a, Tensor) and a.requires_grad]


def marching(args: tuple[Any, ...], features: int) -> tuple[Call, list[Tensor]]:
    """`volume.render` with a field that costs nothing."""
    _, origins, directions, settings, chance = args
    batch, rays = len(origins), directions.shape[-1]
    raw, colours = torch.randn(batch, rays * settings.coarse), torch.randn(batch, features, rays * settings.coarse)
    inputs = [raw.to(DEVICE).requires_grad_(), colours.to(DEVICE).requires_grad_()]
    return partial(volume.render, lambda _: (inputs[0], inputs[1]), origins, directions, settings, chance), inputs


def generator_parts(step: Step) -> dict[str, list[tuple[Call, list[Tensor], nn.Module | None]]]:
    """Calls of each part of the generator, with their inputs and weights."""
    g, seen = step.networks.g, captured(step)
    conditions, z = step.conditions[0], torch.randn(step.training.part, g.config.latent, device=DEVICE)
    found: dict[str, list[tuple[Call, list[Tensor], nn.Module | None]]] = {
        "mapping and pose": [
            (partial(g.mapping, z, conditions.camera, conditions.coarse), [], g.mapper),
            (partial(g.predict_pose, z, conditions.camera), [], g.pose),
        ]
    }
    calls: list[tuple[str, str, Callable[..., Any], nn.Module | None]] = [
        ("synthesis", "backbone", g.backbone, g.backbone),
        ("deformation", "deformation", g.deformation, None),
        ("sampling", "sample", g.representation.sample, None),
        ("sampling", "decoder", g.decoder, g.decoder),
        ("background", "background", g.background, g.background),
        ("super-resolution", "superres", g.superres, g.superres),
    ]
    for name, key, call, net in calls:
        for args in seen.get(key, []):
            own, inputs = fresh(args)
            found.setdefault(name, []).append((partial(call, *own), inputs, net))
    call, inputs = marching(seen["render"][0], g.config.render.features)
    found["marching"] = [(call, inputs, None)]
    return found


def part_times(step: Step, found: dict[str, list[tuple[Call, list[Tensor], nn.Module | None]]]) -> dict[str, float]:
    """Seconds of each part in a whole step."""
    parts = len(step.conditions)
    times = {}
    for name, calls in found.items():
        times[name] = 0.0
        for call, inputs, net in calls:
            times[name] += parts * seconds(partial(both_ways, call, inputs, net))
            times[name] += parts * seconds(partial(forward, call))
    return times | {name: parts * seconds(call) for name, call in discriminator_parts(step).items()}


def discriminator_parts(step: Step) -> dict[str, Call]:
    """Two judgements that teach it and one that teaches the generator; and R1's share of a step."""
    d, real = step.networks.d, step.real[0]
    pictures = step.phases.shown(real, step.now)
    inputs = [picture.clone().requires_grad_() for picture in pictures]

    def judge() -> None:
        d.requires_grad_(False)
        both_ways(partial(d, *inputs, real.camera), inputs, None)
        d.requires_grad_(True)
        for _ in range(2):
            both_ways(partial(d, *pictures, real.camera), [], d)

    def slopes() -> None:
        penalty = r1(d(*inputs, real.camera).logits, inputs[0], inputs[1], inputs[2], 1.0, 1.0)
        torch.autograd.grad(penalty, list(d.parameters()), allow_unused=True)

    return {"discriminator": judge, LAZY: slopes}


def measure(setting: str, rounds: int) -> None:
    """Print one setting."""
    preset, sets = SETTINGS.get(setting, (setting, []))
    torch.manual_seed(0)
    whole = Step(preset, sets)
    for _ in range(3):
        whole()
    variants = {name: Step(preset, [*sets, *more]) for name, more in VARIANTS.items()}
    for step in variants.values():
        step()
        step.steps = 1
    found, table, steps = generator_parts(whole), list[dict[str, float]](), list[dict[str, float]]()
    for _ in range(rounds):
        whole.steps = 1  # no R1: it has a line of its own
        steps.append({"step": seconds(whole)} | {name: seconds(step) for name, step in variants.items()})
        table.append(part_times(whole, found))
    _print(setting, whole, table, steps)


def _print(setting: str, whole: Step, table: list[dict[str, float]], steps: list[dict[str, float]]) -> None:
    batch, every = whole.training.batch, whole.training.losses.r1_every
    totals = [once["step"] + parts[LAZY] / every for once, parts in zip(steps, table, strict=True)]
    speed, side = batch / statistics.median(totals), whole.config.model.resolution
    print(f"\n{setting}: {side}², raw {whole.now.raw}², batches of {batch}; {speed:.2f} images/s")
    for parts, total in zip(table, totals, strict=True):
        parts[LAZY] /= every
        parts["rest"] = total - sum(parts.values())
    for name in table[0]:
        share = statistics.median(parts[name] / total for parts, total in zip(table, totals, strict=True))
        print(f"  {name:<28} {share:6.1%}   {1000 * statistics.median(parts[name] for parts in table):8.1f} ms")
    for name, more in VARIANTS.items():
        ratio = statistics.median(once[name] / once["step"] for once in steps)
        print(f"  a step with {name:<28} × {ratio:.2f}      --set {more[0]}")
    peak = torch.cuda.max_memory_allocated() / 2**30 if DEVICE.type == "cuda" else (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    )  # fmt: skip
    print(f"  largest size with all variants {peak:.2f} GiB")


def memory(setting: str) -> None:
    """Print what three steps of a setting need, over a process that has imported everything."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    preset, sets = SETTINGS.get(setting, (setting, []))
    step = Step(preset, sets)
    for _ in range(3):
        step()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    gpu = f", GPU {torch.cuda.max_memory_allocated() / 2**30:.2f} GiB" if DEVICE.type == "cuda" else ""
    print(f"  memory: {peak / 2**20:.2f} GiB, {(peak - before) / 2**20:.2f} of them for the step{gpu}")


class Operations(TorchDispatchMode):
    """Counts what torch has a formula for. Its own `FlopCounterMode` fails where gradients are switched off."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0
        self.convolutions = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if formula := flop_registry.get(func._overloadpacket):
            count = formula(*args, **(kwargs or {}), out_val=result)
            self.total += count
            self.convolutions += count if "convolution" in str(func) else 0
        return result


def cost(preset: str) -> None:
    """Print operations an image of every phase, counted in convolutions and matrix products by torch."""
    step = Step(preset, ["training.part=1", "training.batch=1", "model.discriminator.group=1"])
    for number in range(len(step.training.stages)):
        stage = step.training.stages[number]
        begin = step.training.stages[number - 1].until_kimg if number else 0.0
        step.now = now(step.training, round(1000 * (begin + stage.raw_kimg)))
        counts = []
        for phase in (
            partial(step.phases.generator, step.conditions, step.now),
            partial(step.phases.discriminator, list(zip(step.real, step.conditions, strict=True)), step.now),
            partial(step.phases.r1, step.real, step.now),
        ):
            with Operations() as counter:
                phase()
            counts.append(counter.total / 1e9)
        total = counts[0] + counts[1] + counts[2] / step.training.losses.r1_every
        kimg = stage.until_kimg - begin
        phases = ", ".join(f"{name} {count:.0f}" for name, count in zip(("G", "D", "R1"), counts, strict=True))
        print(f"{preset} stage {number + 1}, raw {step.now.raw}²: {phases}; together {total:.1f} GFLOP an image, "
              f"{total * kimg / 1e6:.3g} EFLOP for {kimg:.0f} kimg")  # fmt: skip


def _alone(work: Callable[..., None], *args: Any) -> None:
    process = multiprocessing.get_context("spawn").Process(target=work, args=args)
    process.start()
    process.join()


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[:1] == ["--cost"]:
        cost(words[1])
    else:
        for name in words[:1] or ["tiny", "128"]:
            _alone(measure, name, int(words[1]) if len(words) > 1 else 5)
            _alone(memory, name)
