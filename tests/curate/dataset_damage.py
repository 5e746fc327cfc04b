"""Ways to break a dataset, each with the violation that must name it."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from sound_datasets import sound_samples, write_sound
from tiny_datasets import TinySample

from phq.dataset.folder import shard_names
from phq.schema import make_sample, sample_to_json

SAMPLES = sound_samples(10, 2)
KEYS = [str(sample.row["key"]) for sample in SAMPLES]


def _shards() -> dict[str, list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        write_sound(Path(folder), SAMPLES)
        return shard_names(Path(folder))


SHARDS = _shards()
PAIR = SHARDS["train"][7]
"""A shard with two samples: the last keys of train."""
FIRST, SECOND = [key for key, sample in zip(KEYS, SAMPLES, strict=True) if sample.row["split"] == "train"][-2:]
Row = dict[str, Any]


@dataclass(frozen=True)
class Damage:
    """A way to break a dataset; called with its folder, it gives the file and the key that must be named."""

    kind: str
    mended: bool
    run: Callable[[Path], tuple[str, str]]

    @property
    def name(self) -> str:
        return self.run.__name__


Breaks = Callable[[Path], tuple[str, str]]


def collector(damages: list[Damage]) -> Callable[..., Callable[[Breaks], None]]:
    """Decorator of functions that break a dataset: ``@damage(kind, mended=…)`` appends to the list."""

    def damage(kind: str, mended: bool = False) -> Callable[[Breaks], None]:
        return lambda run: damages.append(Damage(kind, mended, run))

    return damage


def rows_of(folder: Path, name: str = "manifest.parquet") -> list[Row]:
    with (folder / name).open("rb") as stream:
        return pq.read_table(stream).to_pylist()


def write_rows(folder: Path, rows: list[Row], name: str = "manifest.parquet") -> None:
    """Whatever the rows say, in the columns that the table has."""
    with (folder / name).open("rb") as stream:
        schema = pq.read_schema(stream)
    with (folder / name).open("wb") as stream:
        pq.write_table(pa.Table.from_pylist(rows, schema), stream, compression="zstd")


@contextmanager
def edited_row(folder: Path, key: str, name: str = "manifest.parquet") -> Iterator[Row]:
    rows = rows_of(folder, name)
    yield next(row for row in rows if row["key"] == key)
    write_rows(folder, rows, name)


@contextmanager
def edited_json(path: Path) -> Iterator[Any]:
    value = json.loads(path.read_bytes())
    yield value
    path.write_bytes((json.dumps(value, indent=2, sort_keys=True) + "\n").encode())


@contextmanager
def edited_bytes(path: Path) -> Iterator[bytearray]:
    content = bytearray(path.read_bytes())
    yield content
    path.write_bytes(content)


def place(folder: Path, key: str, member: str) -> tuple[int, int]:
    row = next(row for row in rows_of(folder) if row["key"] == key)
    return row[f"{member}_offset"], row[f"{member}_size"]


def rewritten(folder: Path, members: list[tuple[str, bytes]]) -> None:
    """PAIR with these members."""
    with tarfile.open(folder / PAIR, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.uname, info.gname = len(content), 0o644, "phq", "phq"
            tar.addfile(info, io.BytesIO(content))


def members_of(folder: Path) -> list[tuple[str, bytes]]:
    with tarfile.open(folder / PAIR) as tar:
        return [(info.name, tar.extractfile(info).read()) for info in tar]  # type: ignore[union-attr]


def rebuilt(folder: Path, sample: TinySample, *others: TinySample) -> str:
    """The dataset with these samples among the others; the shard of the first of them."""
    new = sorted([*SAMPLES, sample, *others], key=lambda one: str(one.row["key"]))
    write_sound(folder, new)
    return str(next(row for row in rows_of(folder) if row["key"] == sample.row["key"])["shard"])


def with_members(sample: TinySample, jpg: bytes | None = None, mask: bytes | None = None) -> TinySample:
    """The sample with another image (and so another key) or mask."""
    members = sample.members | ({"jpg": jpg} if jpg else {}) | ({"mask.png": mask} if mask else {})
    row = sample.row | {"key": hashlib.sha256(members["jpg"]).hexdigest()[:16]}
    fields = {name: row[name] for name in json.loads(sample.members["json"])}
    return TinySample(row, members | {"json": sample_to_json(make_sample(fields))})


def encoded(pixels: np.ndarray, kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()
