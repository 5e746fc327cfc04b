"""A generator and a discriminator of 16² that several test files look at, and cameras for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from phq.camera.convention import intrinsics, orbit
from phq.generator.config import ModelConfig, model_config

SMALL: dict[str, Any] = {
    "resolution": 16,
    "latent": 8,
    "style": 12,
    "planes": {"resolution": 16, "channels": 4, "channel_base": 128, "channel_max": 16},
    "render": {"features": 5, "hidden": 8, "resolution": 8, "coarse": 6, "fine": 6},
    "background": {"channel_base": 64, "channel_max": 8},
    "superres": {"input": 8, "channels": [6, 4]},
    "discriminator": {"channel_base": 128, "channel_max": 16, "mapping_layers": 2},
    "pose": {"generator": [8], "discriminator": [16]},
}


def small_config(**changes: Any) -> ModelConfig:
    """`SMALL` with top-level settings replaced, and sections updated."""
    table = {key: dict(value) if isinstance(value, dict) else value for key, value in SMALL.items()}
    for key, value in changes.items():
        table[key] = {**table.get(key, {}), **value} if isinstance(value, dict) else value
    return model_config(table)


def cameras(yaws: Sequence[float], pitch: float = 5.0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Camera labels (B, 25) of level cameras at these yaws, degrees."""
    labels = [np.concatenate([orbit(yaw, pitch).ravel(), intrinsics().ravel()]) for yaw in yaws]
    return torch.tensor(np.stack(labels), dtype=dtype)


def pictures(batch: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Image, raw image and mask for a discriminator of 16²."""
    generator = torch.Generator().manual_seed(seed)
    sizes = ((3, 16), (3, 8), (1, 8))
    return tuple(torch.rand(batch, c, s, s, generator=generator) for c, s in sizes)  # type: ignore[return-value]


def stirred(network: torch.nn.Module) -> torch.nn.Module:
    """The last layer of the pose predictor, which starts at zero, made to say something."""
    torch.nn.init.normal_(network.pose.layers[-1].weight)  # type: ignore[union-attr, index]
    return network
