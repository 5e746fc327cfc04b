"""Tiny but valid samples, and a dataset of them, for the tests of the shards and of their readers."""

from __future__ import annotations

import hashlib
import io
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from phq.dataset.card import Card
from phq.dataset.write import write_dataset
from phq.people.record import HeadPoseScores
from phq.schema import Row, Sample, column_kind, make_sample, sample_to_json
from phq.weights.licences import Model

SIDE = 64
STORAGE = ("shard", "jpg_offset", "jpg_size", "json_offset", "json_size", "mask_offset", "mask_size")
CARD = Card("Tiny heads", "0.0", (Model("nanodet", "person boxes", "Apache-2.0", "RangiLyu/nanodet"),))


@dataclass(frozen=True)
class TinySample:
    """A row of the manifest without its storage columns, and the members it describes."""

    row: dict[str, Any]
    members: dict[str, bytes]


def _encoded(pixels: np.ndarray, kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def _value(name: str, rng: np.random.Generator) -> Any:
    kind, length = column_kind(name)
    size = length or 1
    drawn = {int: rng.integers(0, 500, size), bool: rng.integers(0, 2, size), float: rng.integers(-2, 2, size)}
    text = ["", "thé d'été", 'quote " and \\'][int(rng.integers(3))]
    if kind is str:
        return text
    values = [kind(v) for v in drawn[kind].tolist()]  # whole numbers: floats even so
    return values if length else values[0]


def tiny_sample(number: int, split: str = "train") -> TinySample:
    """One sample; the camera goes round the person in steps of 30° from −150°."""
    row, members = _drawn(number)
    return TinySample(deepcopy(row) | {"split": split}, dict(members))


@cache
def _drawn(number: int) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Row and members of a sample, its split yet to be said: to draw them takes longer than many tests."""
    rng = np.random.default_rng(number)
    jpg = _encoded(rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8), "JPEG")
    mask = _encoded(np.where(rng.random((SIDE, SIDE)) < 0.5, 0, 255).astype(np.uint8), "PNG")
    fields = {name: _value(name, rng) for name in Sample.model_fields}
    fields |= {
        "schema_version": "phq/1",
        "key": hashlib.sha256(jpg).hexdigest()[:16],
        "source_path": f"photos/{number:04d}.jpg",
        "camera_yaw_deg": float(number % 12 * 30 - 150),
        "body_model": "phq-body-1",
        "image_size": SIDE,
        "phash": "0" * 16,
        "photo_phash": "",
        "phash_mirror": "f" * 16,
        "face_embedding": "",
        "face_network": "",
        "face_pixelation": 0.0,
        "head_direction": "",
        "head_direction_score": 0.0,
        **HeadPoseScores().columns(),
        "consent": "",
    }
    sample = make_sample(fields)
    row = {name: _value(name, rng) for name in Row.model_fields if name not in STORAGE}
    row |= sample.model_dump() | {"split": "", "decision": "kept", "reason": "", "detail": ""}
    row |= {"duplicate_group": "", "scene_group": "", "identity_group": ""}
    return row, {"jpg": jpg, "json": sample_to_json(sample), "mask.png": mask}


def tiny_samples(train: int, val: int = 0) -> list[TinySample]:
    """Samples in final order; the splits take turns while both last."""
    numbers = range(train + val)
    return [tiny_sample(n, "val" if (n % 2 and n // 2 < val) or n >= 2 * train else "train") for n in numbers]


def write_tiny(out: Path, samples: list[TinySample], rejects: list[dict[str, Any]] | None = None) -> None:
    """The samples as a dataset."""
    members = {sample.row["key"]: sample.members for sample in samples}
    kept = [dict(sample.row) for sample in samples]
    write_dataset(out, kept, rejects or [], lambda row: members[row["key"]], {"seed": 1}, CARD)
