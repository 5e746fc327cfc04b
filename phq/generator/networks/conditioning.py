"""What the mapping networks are conditioned on: camera and pose, and the swap that keeps G from relying on them."""

from __future__ import annotations

import torch
from torch import Tensor

CAMERA = 25
POSE = 6
LABELS = CAMERA + POSE


def labels(camera: Tensor, pose: Tensor) -> Tensor:
    """(B, 31) of cameras (B, 25) and neck and head poses (B, 6)."""
    return torch.cat([camera, pose], dim=1)


def swap_labels(camera: Tensor, pose: Tensor, probability: float, uniform: Tensor) -> tuple[Tensor, Tensor]:
    """Camera (B, 25) and pose (B, 6) of each sample, jointly replaced by its predecessor's in the batch.

    EG3D's "generator pose conditioning" regulariser: what z is mapped with is sometimes another sample's, so a style
    cannot tell for sure where it will be seen from. The rendering camera is not touched.

    Args:
        probability: of a replacement. 3DPortraitGAN goes from 1 to 0.7 over the first million images.
        uniform: (B,) in [0, 1).
    """
    swapped = (uniform < probability)[:, None]
    return (torch.where(swapped, camera.roll(1, dims=0), camera), torch.where(swapped, pose.roll(1, dims=0), pose))
