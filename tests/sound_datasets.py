"""Tiny datasets in which every rule of the format holds, for the tests of `phq verify`."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tiny_datasets import CARD, SIDE, TinySample, tiny_sample

from phq.camera.angles import camera_angles
from phq.camera.convention import CONVENTION, intrinsics, orbit
from phq.config.build import load_config
from phq.dataset.write import write_dataset
from phq.schema import PROVENANCE, Sample, make_sample, sample_to_json

DECIDED = {"score_name": "", "threshold": 0.0, "margin": 0.0, "duplicate_of": "",
           "duplicate_group": "", "scene_group": "", "identity_group": ""}  # fmt: skip
REJECT = {
    "source_path": "photos/bad.jpg", "source_sha256": "f" * 64, "split": "", "decision": "rejected",
    "reason": "truncated", "detail": "it ends early", **DECIDED,
}  # fmt: skip


def sound_sample(number: int, split: str = "train", **changes: Any) -> TinySample:
    """A sample whose camera, mask and hashes agree with each other; `changes` are fields that differ from it."""
    tiny = tiny_sample(number, split)
    camera = orbit(number % 12 * 30.0 - 150.0, number % 5 * 4.0)
    angles = dict(zip(("camera_yaw_deg", "camera_pitch_deg", "camera_roll_deg"), camera_angles(camera), strict=True))
    mask = np.asarray(Image.open(io.BytesIO(tiny.members["mask.png"])))
    seed = hashlib.sha256(str(number).encode()).hexdigest()
    fields = {name: tiny.row[name] for name in Sample.model_fields}
    fields |= {"camera_convention": CONVENTION, "cam2world": camera, "intrinsics": intrinsics(), **angles}
    fields |= {"crop_to_source": [4.0, 0.5, 10.0, -0.5, 4.0, 20.0], "mask_fraction": float((mask > 0).mean())}
    fields |= {"source_sha256": seed, "person_index": 0, "phash": seed[:16], "phash_mirror": seed[16:32]}
    sample = make_sample(fields | dict.fromkeys(PROVENANCE, "") | changes)
    row = tiny.row | sample.model_dump() | DECIDED
    return TinySample(row, {**tiny.members, "json": sample_to_json(sample)})


def sound_samples(train: int, val: int = 0) -> list[TinySample]:
    """Samples in the order of a dataset; the splits are mixed."""
    samples = [sound_sample(n, "val" if n < val else "train") for n in range(train + val)]
    return sorted(samples, key=lambda sample: str(sample.row["key"]))


def write_sound(out: Path, samples: list[TinySample], rejects: list[dict[str, Any]] | None = None) -> None:
    """The samples as a dataset, with a configuration that keeps everything."""
    members = {sample.row["key"]: sample.members for sample in samples}
    thrown_out = [REJECT] if rejects is None else rejects
    reasons = Counter(row["reason"] for row in thrown_out)
    counts = {"kept": len(samples), "people": len(samples), "rejected": dict(sorted(reasons.items()))}
    config = load_config("everything", size=SIDE).model_dump(mode="json")
    run = {"tool": "phq", "config": config, "counts": counts}
    kept = [dict(sample.row) for sample in samples]
    write_dataset(out, kept, thrown_out, lambda row: members[row["key"]], run, CARD)
