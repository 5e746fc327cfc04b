"""The losses of a step, on tensors alone; what the published training uses is in docs/train.md.

Every one is a mean over the batch. B samples, images (B, C, H, W), poses (B, 6) axis-angle of neck and head, radians.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (its name everywhere)


def fooled(fake: Tensor) -> Tensor:
    """The generator's loss, from the discriminator's logits of its images (B, 1): −log sigmoid (Goodfellow 2014)."""
    return F.softplus(-fake).mean()


def judged(fake: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """The discriminator's logistic loss on fakes and on real images, from its logits (B, 1)."""
    return F.softplus(fake).mean(), F.softplus(-real).mean()


def hinged(fake: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
    """The hinge loss of a discriminator with several heads, from their logits (B, places) each (Lim & Ye 2017)."""
    pairs = zip(fake, real, strict=True)
    return torch.stack([F.relu(1 + f).mean() + F.relu(1 - r).mean() for f, r in pairs]).mean()


def admired(fake: Sequence[Tensor]) -> Tensor:
    """The generator's side of `hinged`."""
    return -torch.stack([logits.mean() for logits in fake]).mean()


def r1(logits: Tensor, image: Tensor, raw: Tensor, mask: Tensor, weight: float, mask_weight: float) -> Tensor:
    """Half the squared gradient of the logits by real images (Mescheder et al. 2018), weighted for image and mask.

    Args:
        logits: (B, 1), of each sample's own pictures (and its group's spread).
        image, raw, mask: (B, 3, R, R), (B, 3, r, r) and (B, 1, r, r) that the logits were made of, requiring gradients.
        weight: γ of image and raw image.
        mask_weight: γ of the mask.
    """
    inputs = [image, raw, mask]
    slopes = torch.autograd.grad(logits.sum(), inputs, create_graph=True)
    by_input = [slope.square().sum(dim=(1, 2, 3)).mean() for slope in slopes]
    return weight / 2 * (by_input[0] + by_input[1]) + mask_weight / 2 * by_input[2]


def uneven(density: Tensor, beside: Tensor) -> Tensor:
    """How densities (B, N, 1) differ from those a small step beside (EG3D's density regularisation)."""
    return (density - beside).abs().mean()


def pose_distance(pose: Tensor, wanted: Tensor) -> Tensor:
    """Squared distance of poses, summed over the six numbers."""
    return (pose - wanted).square().sum(dim=1).mean()


def swapped(own: Tensor, uniform: Tensor, probability: float) -> Tensor:
    """Rows of `own` (B, …), those with a uniform (B,) below `probability` replaced by the row before."""
    taken = (uniform < probability).view(-1, *[1] * (own.dim() - 1))
    return torch.where(taken, own.roll(1, dims=0), own)


def blurred(images: Tensor, sigma: float) -> Tensor:
    """Images under a Gaussian 2^−(x/σ)², cut off at 3 σ (EG3D), zero beyond their borders; themselves if σ < 1/3 px."""
    reach = int(3 * sigma)
    if reach == 0:
        return images
    steps = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
    taps = (steps / sigma).square().neg().exp2()
    taps = (taps / taps.sum()).expand(images.shape[1], 1, -1)
    for kernel, padding in ((taps[..., None, :], (0, reach)), (taps[..., None], (reach, 0))):
        images = F.conv2d(images, kernel, padding=padding, groups=images.shape[1])
    return images
