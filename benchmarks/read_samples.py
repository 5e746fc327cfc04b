"""The same samples as a phq dataset, as Parquet with embedded pictures, and as loose files; for `read.py`."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from phq.dataset.card import Card
from phq.dataset.overlays import STORAGE
from phq.dataset.reader import Dataset
from phq.dataset.tar import MEMBERS
from phq.dataset.write import write_dataset
from phq.schema import SCHEMA_VERSION, Row, Sample, column_kind, make_sample, sample_to_json

PHOTOS = Path(__file__).parents[1] / "examples" / "photos"
SIDE = 512
ROWS_PER_GROUP = 100
"""As Hugging Face `datasets` writes columns of images."""


def write_forms(folder: Path, number: int) -> None:
    """``folder/phq``, ``folder/samples.parquet`` and ``folder/loose``, with the samples in the same order."""
    made = list(samples(number))
    members = {row["key"]: files for row, files in made}
    card = Card("Benchmark", "0", ())
    write_dataset(folder / "phq", [row for row, _ in made], [], lambda row: members[row["key"]], {}, card)
    (folder / "loose").mkdir()
    columns: dict[str, list[bytes]] = {name: [] for name in MEMBERS}
    for key in Dataset(folder / "phq").keys:
        for name, content in members[key].items():
            columns[name].append(content)
            (folder / "loose" / f"{key}.{name}").write_bytes(content)
    pq.write_table(pa.table(columns), folder / "samples.parquet", row_group_size=ROWS_PER_GROUP, compression="none")


def samples(number: int) -> Iterator[tuple[dict[str, Any], dict[str, bytes]]]:
    """Rows of the manifest, with numbers drawn at random, and their members."""
    rng = np.random.default_rng(0)
    photos = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(PHOTOS.iterdir())]
    for i in range(number):
        jpg = _encoded(_cut(photos[i % len(photos)], rng), "JPEG", quality=95, subsampling=0)
        key = hashlib.sha256(jpg).hexdigest()[:16]
        row = {name: _value(*column_kind(name), rng) for name in Row.model_fields if name not in STORAGE}
        row |= {"schema_version": SCHEMA_VERSION, "key": key, "image_size": SIDE, "phash": key, "phash_mirror": key}
        row |= {"camera_yaw_deg": float(rng.uniform(-180, 180)), "split": "train", "decision": "kept"}
        sample = make_sample({name: row[name] for name in Sample.model_fields})
        yield row, {"jpg": jpg, "json": sample_to_json(sample), "mask.png": _encoded(_silhouette(rng), "PNG")}


def _value(kind: type, length: int, rng: np.random.Generator) -> Any:
    values = [kind(rng.normal()) if kind is float else kind() for _ in range(length or 1)]
    return values if length else values[0]


def _cut(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random square of a photo, half to whole of its shorter side, at the stored size."""
    side = int(min(photo.shape[:2]) * rng.uniform(0.5, 1))
    y, x = (int(rng.integers(0, length - side + 1)) for length in photo.shape[:2])
    return cv2.resize(photo[y : y + side, x : x + side], (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def _encoded(pixels: np.ndarray, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def _silhouette(rng: np.random.Generator) -> np.ndarray:
    """Something like the mask of a head and shoulders."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    x, y = rng.integers(200, 312, 2).tolist()
    cv2.ellipse(mask, (x, y), (90, 120), 0, 0, 360, 255, -1)
    cv2.ellipse(mask, (x, SIDE), (220, SIDE - y - 60), 0, 0, 360, 255, -1)
    return mask
