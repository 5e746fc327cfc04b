"""Rays of a camera, in the convention of `phq.camera`."""

from __future__ import annotations

import torch
from torch import Tensor


def camera_rays(camera: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Origins (B, 3, 1) and unit directions (B, 3, side²) of the rays through the pixels' centres, row by row.

    Args:
        camera: (B, 25), cam2world (OpenCV axes) row by row, then intrinsics normalised by the image's side.
        side: of the image, pixels.

    With K = [[fx, s, cx], [0, fy, cy], [0, 0, 1]], the ray of (u, v) is R · K⁻¹ (u, v, 1).
    """
    cam2world, K = camera[:, :16].reshape(-1, 4, 4), camera[:, 16:].reshape(-1, 3, 3)
    centres = (torch.arange(side, dtype=camera.dtype, device=camera.device) + 0.5) / side
    v, u = torch.meshgrid(centres, centres, indexing="ij")
    fx, skew, cx, fy, cy = (K[:, i, j, None] for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2)))
    y = (v.flatten() - cy) / fy
    x = (u.flatten() - cx - skew * y) / fx
    directions = cam2world[:, :3, :3] @ torch.stack([x, y, torch.ones_like(x)], dim=1)
    return cam2world[:, :3, 3:], directions / directions.norm(dim=1, keepdim=True)
