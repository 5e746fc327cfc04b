"""How far a rendering is from a target: colours at every scale, and the outline.

No network takes part: the usual perceptual loss (LPIPS) needs VGG or AlexNet weights, which would have to be fetched.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from phq.generator.networks.filters import resize
from phq.generator.networks.generator import Rendering
from phq.generator.use.target import Target

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
