"""Left and right: mirroring what the networks take, and predictors that are symmetric by construction.

Mirroring is by M = diag(−1, 1, 1) as in docs/conventions.md.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def mirror_camera(camera: Tensor) -> Tensor:
    """Camera labels (B, 25) of the horizontally mirrored images.

    M C M negates entries 1, 2, 3, 4 and 8; the skew, entry 17, changes its sign, and the principal point's x, entry 18,
    becomes 1 − x.
    """
    c = camera
    parts = [c[:, :1], -c[:, 1:5], c[:, 5:8], -c[:, 8:9], c[:, 9:17], -c[:, 17:18], 1 - c[:, 18:19], c[:, 19:]]
    return torch.cat(parts, dim=1)


def mirror_pose(pose: Tensor) -> Tensor:
    """Neck and head poses (B, 6) of the mirrored people: (a, b, c) becomes (a, −b, −c)."""
    return torch.cat([pose[:, :1], -pose[:, 1:3], pose[:, 3:4], -pose[:, 4:]], dim=1)


def mirror_images(images: Tensor) -> Tensor:
    """(B, C, H, W) flipped left to right."""
    return images.flip(-1)


def on_left(camera: Tensor) -> Tensor:
    """(B,) whether the camera stands on the subject's left: x ≥ 0 of its position, −90° ≤ atan2(z, x) ≤ 90°."""
    return camera[:, 3] >= 0


def where_left(left: Tensor, mirror: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """x (B, …), mirrored where `left` (B,)."""
    return torch.where(left.reshape(-1, *[1] * (x.dim() - 1)), mirror(x), x)
