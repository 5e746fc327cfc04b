"""The preview of a published copy: some samples as a shard of its own, with the columns that people look for.

A hub shows its pictures beside the numbers. It is a tar like the shards, since Hugging Face ``datasets`` reads all
configurations of a repository in the format of the first.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Collection, Iterator
from pathlib import Path

from phq.dataset.reader import Dataset
from phq.dataset.tar import MEMBERS, ShardWriter
from phq.errors import InputError

COLUMNS = (
    "key", "split", "camera_yaw_deg", "camera_pitch_deg", "head_yaw_deg", "head_pitch_deg", "p_flip", "blur",
    "licence", "author", "source", "consent",
)  # fmt: skip
"""Fields of its json."""


def write_preview(path: Path, samples: Dataset) -> None:
    """Write samples, in order, with picture and mask as they are stored.

    Raises:
        OutputError: see `phq.system.atomic.output_errors`.
    """
    rows = samples.columns(COLUMNS).to_pylist()
    with ShardWriter(path) as shard:
        for item, row in zip(samples, rows, strict=True):
            members = {name: item.read(name) for name in MEMBERS}
            shard.add(item.key, members | {"json": json.dumps(row, ensure_ascii=False).encode()})


def preview_keys(path: Path) -> list[str]:
    """Keys of the samples in a preview; [] if there is none that can be read."""
    if not path.is_file():
        return []
    try:
        return list(dict.fromkeys(name.partition(".")[0] for name, _ in _members(path)))
    except InputError:
        return []


def remove_from_preview(source: Path, target: Path, keys: Collection[str]) -> None:
    """Write a preview again without some of its samples, the others byte for byte.

    Raises:
        InputError: it cannot be read, so it is not known whom it shows.
        OutputError: see `phq.system.atomic.output_errors`.
    """
    found: dict[str, dict[str, bytes]] = {}
    for name, content in _members(source):
        key, _, member = name.partition(".")
        found.setdefault(key, {})[member] = content
    with ShardWriter(target) as shard:
        for key, members in found.items():
            if key not in keys:
                shard.add(key, members)


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                stream = tar.extractfile(member)
                yield member.name, stream.read() if stream is not None else b""
    except tarfile.TarError as error:
        raise InputError(f"{path} cannot be read: {error}; remove it, phq publish makes it again") from error
