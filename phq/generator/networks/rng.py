"""Every random number of a rendering, from one seed a sample: a sample does not depend on what it is batched with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class SampleRng:
    """Draws for a batch of B samples, each from its own torch.Generator.

    The same seeds give the same numbers on the same kind of device, in any batch and on any rank. Without seeds nothing
    is random: no noise, and samples in the middle of their strata.
    """

    def __init__(self, seeds: Sequence[int] | None, device: torch.device) -> None:
        self.device = device
        self._generators = (
            None if seeds is None else [torch.Generator(device=device).manual_seed(int(seed)) for seed in seeds]
        )

    def normal(self, *shape: int) -> Tensor | None:
        """(B, *shape) from N(0, 1); None without seeds."""
        if self._generators is None:
            return None
        return torch.stack([torch.randn(shape, generator=g, device=self.device) for g in self._generators])

    def uniform(self, *shape: int) -> Tensor | None:
        """(B, *shape) from [0, 1); None without seeds."""
        if self._generators is None:
            return None
        return torch.stack([torch.rand(shape, generator=g, device=self.device) for g in self._generators])
