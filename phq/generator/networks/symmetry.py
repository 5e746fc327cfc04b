"""Left and right: mirroring what the networks take, and predictors that are symmetric by construction.

Mirroring is by M = diag(−1, 1, 1) as in docs/conventions.md.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

CAMERA_SIGNS = (1, -1, -1, -1, -1, 1, 1, 1, -1, 1, 1, 1, 1, 1, 1, 1, 1, -1, 1, 1, 1, 1, 1, 1, 1)
"""Of a camera label: M C M negates entries 1, 2, 3, 4 and 8, and the skew, entry 17, changes its sign."""
CENTRE_X = 18
"""Entry of the principal point's x, which becomes 1 − x."""
POSE_SIGNS = (1, -1, -1, 1, -1, -1)


def mirror_camera(camera: Tensor) -> Tensor:
    """Camera labels (B, 25) of the horizontally mirrored images."""
    mirrored = camera * camera.new_tensor(CAMERA_SIGNS)
    principal = torch.zeros_like(camera)
    principal[:, CENTRE_X] = 1 - 2 * camera[:, CENTRE_X]
    return mirrored + principal


def mirror_pose(pose: Tensor) -> Tensor:
    """Neck and head poses (B, 6) of the mirrored people: (a, b, c) becomes (a, −b, −c)."""
    return pose * pose.new_tensor(POSE_SIGNS)


def mirror_images(images: Tensor) -> Tensor:
    """(B, C, H, W) flipped left to right."""
    return images.flip(-1)


def on_left(camera: Tensor) -> Tensor:
    """(B,) whether the camera stands on the subject's left: x ≥ 0 of its position, −90° ≤ atan2(z, x) ≤ 90°."""
    return camera[:, 3] >= 0


def where_left(left: Tensor, mirror: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """x (B, …), mirrored where `left` (B,)."""
    return torch.where(left.reshape(-1, *[1] * (x.dim() - 1)), mirror(x), x)
