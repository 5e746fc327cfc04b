"""The dataset that the tests of `phq.Dataset` read, and the places that it is read from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
from range_server import serving
from tiny_datasets import TinySample, tiny_samples, write_tiny

REJECT = {"source_path": "dark.jpg", "decision": "rejected", "reason": "underexposed", "split": ""}
HALF = {**REJECT, "key": "0" * 16, "reason": "blurred", "camera_yaw_deg": 5.0}
PLACES = ("folder", "memory", "http")


def by_key(samples: list[TinySample]) -> list[TinySample]:
    """In the order of a dataset."""
    return sorted(samples, key=lambda sample: str(sample.row["key"]))


SAMPLES = by_key(tiny_samples(13, 6))
KEYS = [sample.row["key"] for sample in SAMPLES]


def write_heads(folder: Path) -> Path:
    """`SAMPLES` and two rejects as a dataset."""
    write_tiny(folder, SAMPLES, [REJECT, HALF])
    return folder


def as_written(sample: TinySample, row: dict[str, Any]) -> bool:
    """Whether a row that was read says what was written."""
    return {name: row[name] for name in sample.row} == sample.row


@contextmanager
def offered(folder: Path, place: str) -> Iterator[str]:
    """Where a dataset is, once it is in one of `PLACES`."""
    if place == "folder":
        yield str(folder)
    elif place == "memory":
        memory = fsspec.filesystem("memory")
        memory.put(f"{folder}/", "/heads/", recursive=True)
        yield "memory://heads"
        memory.rm("/heads", recursive=True)
    else:
        with serving(folder) as served:
            yield served.url
