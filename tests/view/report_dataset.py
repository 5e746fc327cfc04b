"""A small dataset with everything a report shows, and what its page holds."""

from __future__ import annotations

import json
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
from curated_datasets import Fields, overlay, person, reject_of, write
from tiny_datasets import TinySample

from phq.camera.angles import camera_angles
from phq.camera.convention import orbit
from phq.view.stats import ANGLES

HOSTILE = "<script>alert(1)</script>/\"><img src=x onerror=alert(2)>'</script>.jpg"
COUNT = 72
BAD = {"source_path": "bad.jpg", "decision": "rejected", "reason": "truncated", "split": ""}
BLURRED = 6
"""Samples that an overlay rejects: their pictures are still there."""


@cache
def report_samples() -> list[TinySample]:
    """Samples all round, most of them seen from the front; the first has a hostile name and licence."""
    made = []
    for number in range(COUNT):
        rng = np.random.default_rng([7, number])
        yaw = float(rng.normal(0, 40)) if number % 3 else float(rng.uniform(-180, 180))
        camera = orbit((yaw + 180) % 360 - 180, float(rng.normal(0, 8)))
        names = dict.fromkeys(("source_path", "licence", "author"), HOSTILE) if number == 0 else {"licence": "CC0-1.0"}
        pose = [0.0, float(rng.normal(0, 0.2)), 0.0, float(rng.normal(0, 0.2)), 0.0, 0.0]
        body = {"smpl_pose": [np.pi, 0.0, 0.0] + [0.0] * 69, "smpl_betas": [0.0] * 10, "smpl_transl": [0, 0.3, 2.7]}
        flip, sigma = float(rng.uniform(0, 0.02)), float(rng.uniform(6, 30))
        scores = {"blur": number / COUNT, "p_flip": flip, "yaw_sigma_deg": sigma}
        angles = dict(zip(ANGLES[:3], camera_angles(camera), strict=True))
        sample = person(number, cam2world=camera, neck_head_pose=pose, **body, **scores, **angles, **names)
        sample.row.update(score_name="blur", threshold=0.05, margin=abs(number / COUNT - 0.05) / 0.05)
        made.append(sample)
    return made


def report_dataset(out: Path) -> Path:
    """The samples, rejects without pictures, and an overlay `strict` that throws the most blurred out."""
    samples = report_samples()
    rejects = [reject_of(person(500), source_path=HOSTILE, detail=HOSTILE), BAD]
    write(out, samples, rejects, seconds={"wall": 10.0, "fit": 4.0})
    gone = {"decision": "rejected", "reason": "blurred", "detail": f"too soft {HOSTILE}", "margin": -0.5}
    rows: list[Fields] = [{"key": sample.row["key"], **gone} for sample in samples[:BLURRED]]
    overlay(out, "strict", rows, {"command": "decide", "config": {"thresholds": {"blur.min": 0.05}}})
    return out


class Page(HTMLParser):
    """What a browser would make of a page: its elements, and what stands in its scripts."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        text = path.read_bytes().decode()
        self.scripts: list[str] = re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL)
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    @property
    def content(self) -> dict[str, Any]:
        """The data that the page's scripts read."""
        found: dict[str, Any] = json.loads(self.scripts[0])
        return found
