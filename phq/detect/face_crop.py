"""A face embedding as text in a record, and as bytes in a column."""

from __future__ import annotations

import base64
import binascii

import numpy as np
import pyarrow as pa

from phq.errors import InputError
from phq.system.arrays import Floats
from phq.system.linear import length

HALF = np.dtype("<f2")
ROWS = 4096
"""Texts that are Python objects at a time."""


def to_unit(vector: Floats) -> Floats:
    """The vector (D,) at length 1.

    Raises:
        ValueError: it has no direction.
    """
    size = float(length(vector))
    if not (np.isfinite(size) and size > 0):
        raise ValueError("an embedding without a direction")
    return np.asarray(vector, np.float64) / size


def embedding_to_text(vector: Floats) -> str:
    """As ``face_embedding`` holds it: base64 of little-endian float16."""
    return base64.b64encode(np.asarray(vector, HALF).tobytes()).decode()


def text_to_embedding(text: str) -> Floats:
    """(D,) float32; (0,) of ''.

    Raises:
        ValueError: the text is not an embedding.
    """
    return np.frombuffer(base64.b64decode(text, validate=True), HALF).astype(np.float32)


def packed(column: pa.ChunkedArray) -> pa.Array:
    """The column ``face_embedding`` as bytes of float16; a null where there is none.

    Raises:
        InputError: a text is not an embedding.
    """
    kind = pa.large_binary()
    try:
        parts = [pa.array(map(_decoded, column.slice(i, ROWS).to_pylist()), kind) for i in range(0, len(column), ROWS)]
    except binascii.Error as error:
        raise InputError(f"a face_embedding cannot be read as base64: {error}") from error
    return pa.concat_arrays([pa.array([], kind), *parts])


def _decoded(text: str | None) -> bytes | None:
    return base64.b64decode(text, validate=True) if text else None
