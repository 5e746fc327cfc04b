"""The preview: some samples with their pictures as a Parquet file, which the page of a hub shows as a table."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from phq.building.contact_sheet import chosen
from phq.dataset.reader import Dataset
from phq.schema import SCHEMA_VERSION, column_kind

MOST = 100
"""Samples in a preview by default."""
COLUMNS = (
    "key", "split", "camera_yaw_deg", "camera_pitch_deg", "head_yaw_deg", "head_pitch_deg", "p_flip", "blur",
    "licence", "author", "source", "consent",
)  # fmt: skip
"""Columns beside the pictures."""
_PICTURES = {"image": "jpg", "mask": "mask.png"}
_PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_KINDS = {str: (pa.string(), "string"), float: (pa.float64(), "float64")}


def preview(samples: Dataset, most: int = MOST) -> bytes:
    """The file: pictures and masks as they are stored, evenly over all samples in the order of their yaw.

    A picture is a struct of ``bytes`` and ``path``; the metadata of the schema name it an image in the terms of Hugging
    Face ``datasets`` (https://huggingface.co/docs/datasets/about_dataset_features).

    Args:
        samples: of the dataset as it was built, without rejects.
        most: rows at most.
    """
    table = samples.columns(COLUMNS)
    rows = sorted(chosen(table["camera_yaw_deg"], table["key"].to_pylist(), min(most, len(table))) if most else [])
    items = [samples[row] for row in rows]
    arrays = [
        pa.array([{"bytes": item.read(member), "path": f"{item.key}.{member}"} for item in items], _PICTURE)
        for member in _PICTURES.values()
    ]
    arrays += [table[name].take(pa.array(rows, pa.int64())).combine_chunks() for name in COLUMNS]
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=_schema()), stream, compression="zstd", row_group_size=MOST)
    return stream.getvalue()


def _schema() -> pa.Schema:
    fields = [pa.field(name, _PICTURE) for name in _PICTURES]
    fields += [pa.field(name, _kind(name)[0]) for name in COLUMNS]
    features: dict[str, Any] = {name: {"_type": "Image"} for name in _PICTURES}
    features |= {name: {"dtype": _kind(name)[1], "_type": "Value"} for name in COLUMNS}
    notes = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema(fields, {"schema_version": SCHEMA_VERSION, "kind": "preview", **notes})


def _kind(name: str) -> tuple[pa.DataType, str]:
    return _KINDS[column_kind(name)[0]]
