"""Resampling of images (B, C, H, W) with the filter [1, 3, 3, 1], and resizing.

StyleGAN2's resampling (Karras et al. 2020, appendix B; the filter is that of Zhang 2019), from ordinary operations.
What lies outside an image is zero.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (its name everywhere)

TAPS = (1.0, 3.0, 3.0, 1.0)


def smooth(images: Tensor, pad: int, gain: float = 1.0, stride: int = 1) -> Tensor:
    """Every channel filtered by [1, 3, 3, 1] ⊗ [1, 3, 3, 1] (sum `gain`), every `stride`-th pixel of the result.

    A side n becomes (n + 2·pad − 4) // stride + 1.
    """
    kernel = _kernel(images, gain)
    return F.conv2d(images, kernel, padding=pad, stride=stride, groups=len(kernel))


def downsample(images: Tensor) -> Tensor:
    """Half the side: filtered, then every second pixel."""
    return smooth(images, pad=1, stride=2)


def upsample(images: Tensor) -> Tensor:
    """Twice the side: zeros put between the pixels, then filtered with a sum of 4; as one transposed convolution."""
    kernel = _kernel(images, 4.0)
    return F.conv_transpose2d(images, kernel, stride=2, padding=1, groups=len(kernel))


def _kernel(images: Tensor, gain: float) -> Tensor:
    """(C, 1, 4, 4)."""
    i = torch.arange(len(TAPS), dtype=images.dtype, device=images.device)
    taps = 1 + i * (3 - i)  # `TAPS`, made on the device: a list would be copied to it, which waits for it
    kernel = torch.outer(taps, taps) * (gain / sum(TAPS) ** 2)
    channels = int(images.shape[1])  # a number for the exporter to ONNX too, which needs to know it
    return kernel.expand(channels, 1, 4, 4)


def resize(images: Tensor, side: int) -> Tensor:
    """Bilinear, with a wider filter where it shrinks; the images themselves if they have that side."""
    if images.shape[-1] == side:
        return images
    return F.interpolate(images, size=(side, side), mode="bilinear", align_corners=False, antialias=True)
