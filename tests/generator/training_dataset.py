"""A dataset and a model small enough that a training step takes a fraction of a second."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tiny_datasets import tiny_samples, write_tiny

from phq.camera.convention import CONVENTION, intrinsics, orbit
from phq.schema import Sample, make_sample, sample_to_json

SETS = (
    "model.resolution=16",
    "model.latent=8",
    "model.style=8",
    "model.planes={kind='trigrid', resolution=8, channels=4, depth=2, channel_base=64, channel_max=8}",
    "model.render={features=4, hidden=8, box=0.7, near=2.42, far=2.98, resolution=8, coarse=4, fine=4}",
    "model.background={channel_base=32, channel_max=4}",
    "model.superres={input=8, channels=[4, 4]}",
    "model.discriminator={channel_base=64, channel_max=8, mapping_layers=1}",
    "model.pose={generator=[8], discriminator=[8]}",
    "training.batch=4",
    "training.part=4",
    "training.kimg=0.024",
    "training.share_fakes=false",
    "training.losses.features=0.0",
    "training.log_kimg=0.004",
    "training.checkpoint_kimg=0.012",
    "training.losses.r1_every=2",
    "training.losses.density=0.1",
    "training.losses.density_every=3",
    "training.losses.density_points=16",
    "training.losses.blur=3.0",
    "training.losses.blur_kimg=0.016",
    "training.losses.stated_pose=[0.0, 0.0]",
    "training.optimisers={rate_g=0.0025, rate_d=0.002}",
    "training.losses.coarse_pose_kimg=[0.004, 0.012]",
    "training.pictures={people=2, frames=2}",
    "training.stages=[{until_kimg=0.012, raw=[8, 8]}, "
    "{until_kimg=0.024, train_pose=false, metric_pose='discriminator', raw=[8, 12], raw_kimg=0.008}]",
)
"""Six steps of four images, through two stages and every fade; a checkpoint after three."""


def write_portraits(folder: Path, number: int, **changes: Any) -> Path:
    """A dataset of so many pictures of noise of 64², with masks, poses and cameras all around; `changes` are fields."""
    rng = np.random.default_rng(7)
    samples = []
    for i, sample in enumerate(tiny_samples(number)):
        fields = {
            "camera_convention": CONVENTION,
            "cam2world": orbit(360 * i / number, 5).ravel().tolist(),
            "intrinsics": intrinsics().ravel().tolist(),
            "neck_head_pose": rng.normal(0, 0.2, 6).tolist(),
            "mask_fraction": 0.5,
            "mask_confidence": 0.9,
        }
        row = sample.row | fields | changes
        record = make_sample({name: row[name] for name in Sample.model_fields})
        members = sample.members | {"json": sample_to_json(record)}
        samples.append(replace(sample, row=row | record.model_dump(), members=members))
    write_tiny(folder, samples)
    return folder


def read_log(run: Path) -> list[dict[str, Any]]:
    """The lines of a run's log without what depends on the machine."""
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]
