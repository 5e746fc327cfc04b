"""View consistency: does a person keep their colours when the camera goes round them?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from phq.camera.convention import orbit
from phq.camera.sides import SIDES, side_of
from phq.generator.evaluate.fakes import latents
from phq.generator.evaluate.subject import Subject
from phq.generator.evaluate.warp import View, difference
from phq.system.arrays import Floats

DIRECTIONS = 8
"""Yaws that people are first seen from, evenly round the circle."""
EACH = 8
"""People from each: they are compared with one another, so they share their cameras."""
STEP_DEG = 30.0
"""Yaw from one view to the other, to both sides."""
LEAST = 0.01
"""Share of the person that two views must have in common to be compared."""


def view_consistency(subject: Subject, intrinsics: Floats, seed: int, batch: int) -> dict[str, Any]:
    """Colour differences (0 to 1) between views 30° apart, of one person and of two, by where the first camera stands.

    Everybody is conditioned on one camera in front, and nothing but the camera differs between two views.

    Args:
        intrinsics: (9,) of all cameras.
    """
    rows = [row for group in _groups(subject, intrinsics, seed, batch) for row in group]
    report: dict[str, Any] = {"step_deg": STEP_DEG, "all": _summary(rows)}
    return report | {side: _summary([row for row in rows if row["side"] == side]) for side in SIDES}


def _groups(subject: Subject, intrinsics: Floats, seed: int, batch: int) -> Iterator[list[dict[str, Any]]]:
    z = latents(DIRECTIONS * EACH, subject.g.config.latent, seed)
    for number, some in enumerate(torch.split(z, EACH)):
        yaw = 360.0 * number / DIRECTIONS
        first, *others = _views(subject, some, [yaw, yaw - STEP_DEG, yaw + STEP_DEG], intrinsics, batch)
        for other in others:
            own, own_share = difference(first, other)
            strange, strange_share = difference(first, View(*(part.roll(1, dims=0) for part in other)))
            columns = (x.tolist() for x in (own, own_share, strange, strange_share))
            yield [{"side": side_of(yaw), "same": row[:2], "different": row[2:]} for row in zip(*columns, strict=True)]


@torch.inference_mode()
def _views(subject: Subject, z: Tensor, yaws: list[float], intrinsics: Floats, batch: int) -> list[View]:
    """What cameras at those yaws see of the people of latents (B, latent)."""
    parts = [_part(subject, some, yaws, intrinsics) for some in torch.split(z, batch)]
    return [View(*(torch.cat(columns) for columns in zip(*views, strict=True))) for views in zip(*parts, strict=True)]


def _part(subject: Subject, z: Tensor, yaws: list[float], intrinsics: Floats) -> list[View]:
    g = subject.g
    z = z.to(subject.device)
    front = _camera(0.0, intrinsics, z)
    pose = g.predict_pose(z, front)
    ws = g.mapping(z, front, pose)
    planes = g.draw_planes(ws)
    views = []
    for yaw in yaws:
        camera = _camera(yaw, intrinsics, z)
        seen = g.synthesis(ws, camera, pose, resolution=subject.raw, planes=planes)
        depth, mask = (F.interpolate(x, g.config.resolution, mode="bilinear") for x in (seen["depth"], seen["mask"]))
        views.append(View((seen["image"].clamp(-1, 1) + 1) / 2, depth, mask, camera))
    return views


def _camera(yaw_deg: float, intrinsics: Floats, z: Tensor) -> Tensor:
    """(B, 25) of a level camera, for latents (B, latent)."""
    label = np.concatenate([orbit(yaw_deg).ravel(), intrinsics])
    return torch.tensor(label, dtype=torch.float32, device=z.device).expand(len(z), -1)


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over the pairs that have enough in common; differences are null where none have."""
    report: dict[str, Any] = {"pairs": len(rows)}
    for name in ("same", "different"):
        pairs = np.array([row[name] for row in rows]).reshape(-1, 2)
        usable = pairs[pairs[:, 1] >= LEAST]
        report[name] = {
            "difference": float(usable[:, 0].mean()) if len(usable) else None,
            "compared": len(usable),
            "in_common": float(pairs[:, 1].mean()) if len(pairs) else None,
        }
    same, different = (report[name]["difference"] for name in ("same", "different"))
    return report | {"ratio": different / same if same and different is not None else None}
