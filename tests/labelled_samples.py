"""Tiny samples whose labels are cameras that could exist, for tests that compare or draw labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from tiny_datasets import TinySample, tiny_sample

from phq.camera.angles import wrap_deg
from phq.camera.convention import CONVENTION, intrinsics, orbit, world2cam
from phq.camera.rotations import rotmat_to_rotvec
from phq.schema import Sample, make_sample, sample_to_json

SIDE = 64


def labels(yaw_deg: float, head_turn_deg: float = 0.0) -> dict[str, Any]:
    """Fields of a level camera at this yaw, and of a head that is turned to the subject's left on the torso."""
    cam2world = orbit(yaw_deg)
    pose = np.zeros((24, 3))
    pose[0] = rotmat_to_rotvec(world2cam(cam2world)[:3, :3])
    pose[[12, 15], 1] = np.radians(head_turn_deg) / 2
    return {
        "camera_convention": CONVENTION,
        "cam2world": cam2world.ravel().tolist(),
        "intrinsics": intrinsics().ravel().tolist(),
        "camera_yaw_deg": wrap_deg(yaw_deg),
        "head_yaw_deg": wrap_deg(yaw_deg - head_turn_deg),
        "smpl_pose": pose.ravel().tolist(),
        "neck_head_pose": [*pose[12].tolist(), *pose[15].tolist()],
    }


def labelled_sample(number: int, split: str = "train", **changes: Any) -> TinySample:
    """A tiny sample at yaw 10° × number, of a photo of its own, kept, with plain numbers everywhere."""
    tiny = tiny_sample(number, split)
    row = tiny.row | labels(10.0 * number) | {
        "source_sha256": f"{number:064x}", "person_index": 0, "phash": f"{number:04x}" * 4, "phash_mirror": "0" * 16,
        "crop_to_source": [2.0, 0.0, 10.0, 0.0, 2.0, 20.0], "crop_side_px": 2.0 * SIDE, "image_size": SIDE,
        "photo_in_crop": [0.0, 0.0, float(SIDE), float(SIDE)], "image_width": 640, "image_height": 480,
        "photo_turn_deg": 0, "photo_turn_score": 0.0, "photo_phash": "",
        "blur": 0.5, "score_name": "", "threshold": 0.0, "margin": 0.0, "duplicate_of": "", "appearance": [0.0] * 24,
        "licence": "", "author": "", "source": "", "identity": "",
    } | changes  # fmt: skip
    sample = make_sample({name: row[name] for name in Sample.model_fields})
    return TinySample(row | sample.model_dump(), tiny.members | {"json": sample_to_json(sample)})
