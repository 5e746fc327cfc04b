"""A dataset whose samples are redacted: people of one photo, duplicates, rejects, overlays that name samples."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from curated_datasets import overlay, person, reject_of, write
from tiny_datasets import TinySample

PHOTO = b"the bytes of the photo"
SHA = hashlib.sha256(PHOTO).hexdigest()
DAY = "2026-01-02"


def people() -> list[TinySample]:
    """Thirty samples; 4 and 5 are of one photo, 6 is the photo of whom a copy was thrown out."""
    sixth = person(6, source_sha256=SHA)
    shared = {"source_path": "photos/pair.jpg", "source_sha256": "5" * 64}
    two = [person(n, **shared, person_index=n - 4) for n in (4, 5)]
    return [*(person(n) for n in range(4)), *two, sixth, *(person(n) for n in range(7, 24)),
            *(person(n, "val") for n in range(24, 30))]  # fmt: skip


def thrown_out(samples: list[TinySample]) -> list[dict[str, Any]]:
    """Two copies of the sixth, of other photos, one of the same stored picture; and rejects of other photos."""
    sixth = samples[6].row
    say = f"4 bits from {sixth['key']} of {sixth['source_path']}"
    return [
        reject_of(person(40), duplicate_of=sixth["key"], detail=say),
        reject_of(samples[6], source_path="photos/copy.jpg", reason="exact_duplicate", duplicate_of=sixth["key"]),
        reject_of(samples[6], person_index=1, key="0123456789abcdef", reason="blurred", phash="1" * 16),
        {"source_path": "photos/bad.jpg", "decision": "rejected", "reason": "truncated", "split": "",
         "detail": "mirror image of photos/0006.jpg"},
        reject_of(person(41), reason="blurred", detail="sharpness is 0.1"),
    ]  # fmt: skip


def make(out: Path, sheet: bool = False) -> tuple[Path, list[TinySample]]:
    samples = people()
    write(out, samples, thrown_out(samples), sheet, sidecar={"unstated": ["photos/0001.jpg", "photos/0006.jpg"]})
    sixth, first = samples[6].row["key"], samples[1].row["key"]
    say = {"examples": [sixth, first], "text": f"of {sixth} and {first}"}
    rows = [{"key": s.row["key"], "note": f"like {sixth}" if s is samples[1] else "", "blur": 0.5} for s in samples]
    overlay(out, "v2", rows, say)
    overlay(out, "only", [{"key": first, "split": "train"}])
    return out, samples


def needles(sample: TinySample) -> dict[str, bytes]:
    jpg, fields = sample.members["jpg"], sample.members["json"]
    middle = fields.index(b'"keypoints_2d"')
    return {
        "key": sample.row["key"].encode(),
        "path": sample.row["source_path"].encode(),
        "sha256": sample.row["source_sha256"].encode(),
        "jpg": jpg[len(jpg) // 2 :][:48],
        "json": fields[middle : middle + 200],
        "mask": sample.members["mask.png"][60:108],
    }
