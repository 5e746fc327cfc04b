"""Inversion: the style and the pose that a target is drawn from, and on demand a generator tuned to it.

A style for all layers (the space W), from the average style, as in StyleGAN2's projector (Karras et al. 2020, appendix
D): noise on the style that fades, a rate that rises and falls. Then pivotal tuning (Roich et al. 2021): the style
stays, the generator's weights move.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812
from torch.optim import Adam
from torch.optim.lr_scheduler import LambdaLR

from phq.generator.networks.filters import resize
from phq.generator.networks.generator import Generator, Rendering
from phq.generator.use.opening import Trained
from phq.generator.use.people import Person, average
from phq.generator.use.target import Target

STEPS = 300
RATE = 0.05
"""Of the style, in units of the standard deviation of one of its numbers."""
POSE_RATE = 0.01
"""Radians."""
TUNE_RATE = 1e-3
NOISE = 0.05
"""On the style at first, in the same units."""
NOISE_UNTIL = 0.75
"""Part of the steps."""
RISE, FALL = 0.05, 0.25
"""Parts of the steps over which the rate rises from 0 and falls to 0."""
TYPICAL = 0.01
"""Weight of the squared distance from the average style, in the same units, a number."""
NEAR_LABEL = 0.1
"""Weight of the squared distance of the pose from the labels', radians²."""


Point = dict[str, Any]
"""Of a curve: ``phase`` (style, tune, end), ``step``, ``total``, ``colour``, ``mask``."""


@dataclass(frozen=True)
class Fit:
    """What was found."""

    person: Person
    curve: list[Point]
    """Before each step, and at the end."""


Progress = Callable[[str], None]
"""Called after each step, with its phase."""


def fit(
    trained: Trained, target: Target, steps: int = STEPS, tune: int = 0, seed: int = 0, progress: Progress | None = None
) -> Fit:
    """Invert a target; on a CPU the same every time.

    Args:
        steps: of style and pose.
        tune: steps of the generator's weights, after those.
        seed: of the noise on the style.
    """
    target = target.to(trained.device)
    person, curve = _fit_style(trained, target, steps, seed, progress)
    if tune:
        person, tuning = _tune(person, target, tune, progress)
        curve += tuning
    with torch.no_grad():
        last = difference(_render(person.g, person.ws, target, person.own, person.raw), target)
    return Fit(person, [*curve, _point("end", steps + tune, last)])


def _render(g: Generator, ws: Tensor, target: Target, pose: Tensor, raw: int) -> Rendering:
    """What the target's camera sees, with gradients."""
    return g.synthesis(ws, target.camera, pose, resolution=raw)


def _fit_style(
    trained: Trained, target: Target, steps: int, seed: int, progress: Progress | None
) -> tuple[Person, list[Point]]:
    g, mean, rng = trained.g, average(trained, trained.camera_at(0.0)), torch.Generator().manual_seed(seed)
    unit = mean.spread / math.sqrt(mean.style.shape[1])
    off = torch.zeros_like(mean.style, requires_grad=True)  # from the average style, in such units
    pose = target.pose.clone().requires_grad_(True)
    optimiser = Adam([{"params": [off], "lr": RATE}, {"params": [pose], "lr": POSE_RATE}])
    rising = LambdaLR(optimiser, lambda step: _ramp(step / steps))
    curve = []
    for step in range(steps):
        noise = torch.randn(off.shape, generator=rng).to(off.device) * _noise(step / steps)
        ws = _styles(mean.style + unit * (off + noise), g)
        found = difference(_render(g, ws, target, pose, trained.raw), target)
        kept = TYPICAL * off.square().mean() + NEAR_LABEL * (pose - target.pose).square().sum()
        _descend(optimiser, found.total + kept)
        rising.step()
        curve.append(_point("style", step, found))
        if progress:
            progress("style")
    return Person(g, _styles(mean.style + unit * off.detach(), g), pose.detach(), trained.raw), curve


def _tune(person: Person, target: Target, steps: int, progress: Progress | None) -> tuple[Person, list[Point]]:
    """The generator's weights moved until the target is matched; style and pose stay."""
    g, curve = copy.deepcopy(person.g).requires_grad_(True), []
    for fixed in (g.pose, g.mapper):
        if fixed is not None:
            fixed.requires_grad_(False)
    optimiser = Adam([p for p in g.parameters() if p.requires_grad], lr=TUNE_RATE)
    for step in range(steps):
        found = difference(_render(g, person.ws, target, person.own, person.raw), target)
        _descend(optimiser, found.total)
        curve.append(_point("tune", step, found))
        if progress:
            progress("tune")
    return Person(g.requires_grad_(False), person.ws, person.own, person.raw), curve


def _descend(optimiser: Adam, loss: Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


def _styles(w: Tensor, g: Generator) -> Tensor:
    """(1, num_ws, style), all the same."""
    return w[:, None].expand(-1, g.num_ws, -1)


def _ramp(part: float) -> float:
    """Of the rates: linear at first, half a cosine at the end."""
    rising, left = min(1.0, (part + 1e-3) / RISE), min(1.0, (1 - part) / FALL)
    return rising * (0.5 - 0.5 * math.cos(math.pi * left))


def _noise(part: float) -> float:
    return NOISE * max(0.0, 1 - part / NOISE_UNTIL) ** 2


def _point(phase: str, step: int, found: Difference) -> Point:
    values = {"total": found.total, "colour": found.colour, "mask": found.mask}
    return {"phase": phase, "step": step} | {name: round(value.item(), 6) for name, value in values.items()}


SMALLEST = 8
"""Side of the coarsest level."""
BACKGROUND = 0.1
"""What a pixel of the background counts, against one of the person."""
MASK = 1.0
"""Weight of the outline."""


class Difference(NamedTuple):
    """Means over the picture."""

    colour: Tensor
    """|difference| of colours that go from −1 to 1, mean over levels."""
    mask: Tensor
    """Squared difference of the masks, 0 to 1."""

    @property
    def total(self) -> Tensor:
        """What is minimised."""
        return self.colour + MASK * self.mask


def difference(seen: Rendering, target: Target) -> Difference:
    """Of a rendering of one person from a target; at each level, half the side of the one before, L1 of both."""
    weight = BACKGROUND + (1 - BACKGROUND) * target.mask
    levels, off = [], seen["image"] - target.image
    while True:
        levels.append((off.abs() * weight).sum() / (3 * weight.sum()))
        if off.shape[-1] // 2 < SMALLEST:
            break
        off, weight = F.avg_pool2d(off, 2), F.avg_pool2d(weight, 2)
    outline = resize(target.mask, seen["mask"].shape[-1])
    return Difference(torch.stack(levels).mean(), (seen["mask"] - outline).square().mean())
