"""StyleGAN2's synthesis network with skip connections (Karras et al. 2020, figure 7b)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from phq.generator.networks.filters import upsample
from phq.generator.networks.modulated import StyledConv, ToColour
from phq.generator.networks.rng import SampleRng

FIRST = 4
"""Side of the learned constant."""


class SynthesisBlock(nn.Module):
    """Two styled convolutions and what they add to the image.

    Args:
        inputs: channels of x; 0: the block begins with a learned constant and one convolution.
        outputs: channels of its result.
        image: channels of the image.
        style: numbers of w.
        side: of its result.
        up: whether x and image have half that side.
        noise: pixel noise.
        precision: type of its convolutions; the image stays float32.
        kept: whether each convolution keeps a picture of noise, for when none is drawn.
    """

    def __init__(  # noqa: PLR0913 (what a block is made of)
        self,
        inputs: int,
        outputs: int,
        image: int,
        style: int,
        side: int,
        *,
        up: bool = True,
        noise: bool = True,
        precision: torch.dtype = torch.float32,
        kept: bool = False,
    ) -> None:
        super().__init__()
        still = side if kept else 0
        self.side, self.up, self.precision = side, up, precision
        self.constant = None if inputs else nn.Parameter(torch.randn(outputs, side, side))
        first = [StyledConv(inputs, outputs, style, up=up, noise=noise, kept=still)] if inputs else []
        self.convs = nn.ModuleList([*first, StyledConv(outputs, outputs, style, noise=noise, kept=still)])
        self.colour = ToColour(outputs, image, style)

    def forward(
        self, x: Tensor | None, image: Tensor | None, ws: Tensor, noises: list[Tensor | None]
    ) -> tuple[Tensor, Tensor]:
        """x (B, inputs, H, W) and image (B, image, H, W), both None at the first block, to those of this block.

        Args:
            ws: (B, convolutions + 1, style).
            noises: for each convolution (B, 1, side, side) or None.
        """
        if self.constant is not None:
            x = self.constant.expand(ws.shape[0], -1, -1, -1)
        assert x is not None
        x = x if x.dtype == torch.float64 else x.to(self.precision)
        for i, conv in enumerate(self.convs):
            x = conv(x, ws[:, i], noises[i])
        added = self.colour(x, ws[:, len(self.convs)])
        if image is None:
            return x, added
        return x, added + (upsample(image) if self.up else image)


class SynthesisNetwork(nn.Module):
    """w to an image (B, channels, side, side), from 4² upwards, doubling.

    Args:
        style: numbers of w.
        side: of the image, a power of two.
        channels: of the image.
        base: a layer of side s has min(base // s, most) channels.
        most: see `base`.
        kept: see `SynthesisBlock`.
    """

    def __init__(self, style: int, side: int, channels: int, base: int, most: int, kept: bool = False) -> None:
        super().__init__()
        sides = [FIRST << i for i in range((side // FIRST).bit_length())]
        widths = [0, *(min(base // s, most) for s in sides)]
        self.blocks = nn.ModuleList(
            SynthesisBlock(widths[i], widths[i + 1], channels, style, s, kept=kept) for i, s in enumerate(sides)
        )
        self.sides = [FIRST, *(s for s in sides[1:] for _ in range(2))]
        """Side of each convolution's result."""
        self.num_ws = len(self.sides) + 1
        """Styles: one a convolution, and one for the last block's colour; the others' share that of the next block."""

    def noises(self, rng: SampleRng) -> list[Tensor | None]:
        """Pixel noise (B, 1, s, s) for each convolution, drawn at once."""
        counts = [s * s for s in self.sides]
        drawn = rng.normal(sum(counts))
        if drawn is None:
            return [None for _ in counts]
        return [
            part.reshape(-1, 1, s, s) for part, s in zip(torch.split(drawn, counts, dim=1), self.sides, strict=True)
        ]

    def forward(self, ws: Tensor, noises: list[Tensor | None]) -> Tensor:
        """ws (B, num_ws, style), noises of `noises`."""
        x, image, done = None, None, 0
        for block in self.blocks:
            convs = len(block.convs)  # type: ignore[arg-type]
            x, image = block(x, image, ws[:, done : done + convs + 1], noises[done : done + convs])
            done += convs
        assert isinstance(image, Tensor)
        return image
