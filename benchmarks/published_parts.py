"""The table of `gan_speed.py parts`: a training step with phq's operators and with the published ones."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from itertools import accumulate
from typing import Any, NamedTuple

import torch
from published_operators import published
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from train import Operations, Step, both_ways

from phq.generator.networks import volume
from phq.generator.networks.rays import camera_rays
from phq.generator.networks.rng import SampleRng
from phq.generator.train.networks import weight_layout

SAME = [
    "model.planes.kind='trigrid'",
    "model.deformation.enabled=false",
    "model.render.places='eg3d'",
    "model.discriminator.one_pass=false",
    "model.pose.own_trunk=false",
    "training.share_fakes=false",
    "training.losses.features=0",
]
"""What the published step has."""
SIZES = {
    "64": ("tiny", ["training.stages=[{until_kimg=1.0, raw=[32, 32]}]"]),
    "512": ("paper-512", ["training.batch=1", "training.part=1", "model.discriminator.group=1"]),
}
PHASES = "G's step", "D's step", "R1"
WHOLE = "whole step"
PRODUCTS = 8
"""Of matrices, for their speed."""
Call = Callable[[], object]
LONG = 2.0
"""CPU seconds after which a call is not made again."""


class Measured(NamedTuple):
    """What a part takes."""

    seconds: float
    """CPU seconds."""
    held: float
    """MiB."""
    convolutions: float
    """Operations in convolutions."""


Column = dict[str, Measured]
"""Of each part, of one side."""


def compare(size: str, rounds: int) -> None:
    """Print the table of one size."""
    preset, sets = SIZES[size]
    step = Step(preset, [*sets, *SAME])
    _check(step)
    calls = parts(step) | phases(step)
    table = [{side: _measured(step, calls) for side in _sides(step)} for _ in range(rounds)]
    _print(step, table)
    own = statistics.median(found["phq"][WHOLE].seconds for found in table)
    least = table[0]["phq"][WHOLE].convolutions / products_a_second()
    print(f"\nits convolutions as products of matrices: {1000 * least:.0f} ms; phq's step {own / least:.1f} times that")


def _sides(step: Step) -> Iterator[str]:
    """phq's operators on weights as a run lays them out, then the published ones on weights with the channels first."""
    for name, operators, layout in (
        ("phq", nullcontext, weight_layout(step.config, torch.device("cpu"))),
        ("published", published, torch.contiguous_format),
    ):
        for net in (step.networks.g, step.networks.d):
            net.to(memory_format=layout)  # type: ignore[call-overload]
        with operators():
            yield name


def parts(step: Step) -> dict[str, Call]:
    """Forward and backward of the parts of a step, on what they are given in it."""
    nets, render, side = step.networks, step.config.model.render, step.now.raw
    g, camera, seeds = nets.g, step.conditions[0].camera, list(range(step.training.part))
    with torch.no_grad():
        ws = g.mapping(torch.randn(len(seeds), g.config.latent), camera)
        shown = g.synthesis(ws, camera, None, seeds=seeds, resolution=side)
    maps = g.draw_planes(ws, seeds).detach().requires_grad_()
    origins, directions = camera_rays(camera, side)
    features = torch.randn(len(seeds), render.features, side, side, requires_grad=True)
    pictures = [picture.clone().requires_grad_() for picture in (shown["image"], shown["raw"], shown["mask"])]

    def drawn(net: Any) -> Tensor:
        image: Tensor = net(ws[:, :1].expand(-1, net.num_ws, -1), net.noises(SampleRng(seeds, ws.device)))
        return image

    def marched() -> volume.Volume:
        rng = SampleRng(seeds, ws.device)
        return volume.render(g._field(maps, None, rng, 0.0), origins, directions, render, rng)

    works: dict[str, tuple[Call, list[Tensor], nn.Module]] = {
        "backbone": (partial(drawn, g.backbone), [], g.backbone),
        "background": (partial(drawn, g.background), [], g.background),
        "ray marching": (marched, [maps], g.decoder),
        "super-resolution": (partial(g.superres, shown["raw"], features, ws[:, -1]), [features], g.superres),
        "discriminator": (partial(nets.d, *pictures, camera), pictures, nets.d),
    }
    return {name: partial(both_ways, *work) for name, work in works.items()}


def phases(step: Step) -> dict[str, Call]:
    """What a step consists of."""
    pairs = list(zip(step.real, step.conditions, strict=True))
    works: tuple[Call, ...] = (
        partial(step.phases.generator, step.conditions, step.now),
        partial(step.phases.discriminator, pairs, step.now),
        partial(step.phases.r1, step.real, step.now),
    )
    return dict(zip(PHASES, works, strict=True))


def _check(step: Step) -> None:
    """Both sides draw and judge the same.

    Raises:
        AssertionError: they do not.
    """
    nets, camera = step.networks, step.conditions[0].camera
    found = []
    for _ in _sides(step):
        with torch.no_grad():
            z = torch.randn(len(camera), nets.g.config.latent, generator=torch.Generator().manual_seed(0))
            shown = nets.g.synthesis(nets.g.mapping(z, camera), camera, None, seeds=range(len(z)))
            verdict = nets.d(shown["image"], shown["raw"], shown["mask"], camera)
            found.append([shown["image"], shown["mask"], verdict.logits, verdict.pose])
    for own, other in zip(*found, strict=True):
        torch.testing.assert_close(own, other, atol=1e-3 * float(own.abs().max()), rtol=1e-3)


def measured(call: Call) -> Measured:
    """What a call takes: the most MiB that it holds at a time beyond what there was, and the time of another one.

    The profiler and the counter cost something an operator, so the second is timed without; after seconds it is not
    made, since they are nothing beside that.
    """
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded, Operations() as counter:
        used = seconds(call)
    kept = recorded.profiler
    assert kept is not None and kept.kineto_results is not None
    events = [event for event in kept.kineto_results.events() if event.name() == "[memory]"]
    held = accumulate(event.nbytes() for event in sorted(events, key=lambda event: event.start_ns()))
    most = max(held, default=0) / 2**20
    return Measured(used if used > LONG else seconds(call), most, counter.convolutions)


def seconds(call: Call) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def _measured(step: Step, calls: dict[str, Call]) -> Column:
    """Each call an image; of a whole step with its share of R1."""
    batch, every = step.training.batch, step.training.losses.r1_every
    found = {}
    for name, call in calls.items():
        used, held, operations = measured(call)
        found[name] = Measured(used / batch, held, operations / batch)
    g, d, r1 = (found[name] for name in PHASES)
    whole = (now + then + rare / every for now, then, rare in zip(g, d, r1, strict=True))
    used, _, operations = whole
    return found | {WHOLE: Measured(used, max(g.held, d.held, r1.held), operations)}


def products_a_second() -> float:
    """Operations a CPU second of a product of matrices."""
    a = torch.randn(1024, 1024)
    torch.mm(a, a)
    start = time.process_time()
    for _ in range(PRODUCTS):
        torch.mm(a, a)
    return PRODUCTS * 2 * len(a) ** 3 / (time.process_time() - start)


def _print(step: Step, table: list[dict[str, Column]]) -> None:
    side, batch = step.config.model.resolution, step.training.batch
    print(f"{side}², raw {step.now.raw}², batches of {batch}; CPU ms an image, forward and backward, one thread\n")
    print("| part | phq | published | ratio | MiB, phq | published | ratio |\n|---|---|---|---|---|---|---|")
    for name in table[0]["phq"]:
        both = [(times["phq"][name], times["published"][name]) for times in table]
        used, held = ([(own[i], other[i]) for own, other in both] for i in (0, 1))
        print(f"| {name} | {_cells(used, 1000)} | {_cells(held, 1)} |", flush=True)


def _cells(pairs: list[tuple[float, float]], unit: float) -> str:
    """Medians of both sides, and of their ratio."""
    own, other = (unit * statistics.median(column) for column in zip(*pairs, strict=True))
    return f"{own:.0f} | {other:.0f} | {statistics.median(a / b for a, b in pairs):.2f}"
