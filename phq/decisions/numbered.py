"""Columns of texts as numbers, which compare and sort without the texts in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from phq.decisions.hamming import Words
from phq.system.arrays import Ints
from phq.system.columns_on_disk import numpy_type

BATCH = 1 << 15
"""Texts in memory at a time."""
_HEX = frozenset("0123456789abcdef")


def words(hashes: pa.ChunkedArray | Sequence[str]) -> Words:
    """(N,) hashes of 16 hex digits as numbers; longer ones as several.

    Raises:
        ValueError: one is something else.
    """
    parts = [np.frombuffer(bytes.fromhex("".join(texts)), ">u8").astype(np.uint64) for texts in _batches(hashes)]
    return np.concatenate([np.empty(0, np.uint64), *parts])


def _batches(texts: pa.ChunkedArray | Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(texts), BATCH):
        part = texts[start : start + BATCH]
        yield list(part) if isinstance(part, Sequence) else part.to_pylist()


def key_numbers(keys: pa.ChunkedArray) -> Words:
    """(N,) numbers in the order of the keys; equal for equal ones, 0 for null.

    Args:
        keys: of samples: 16 hex digits each, or any texts.
    """
    try:
        parts = [_key_words(texts) for texts in _batches(keys)]
        return np.concatenate([np.empty(0, np.uint64), *parts])
    except ValueError:  # other texts
        pass
    texts = np.array([(key or "").encode() for key in keys.to_pylist()], object)
    return np.unique(texts, return_inverse=True)[1].astype(np.uint64)


def _key_words(keys: list[str]) -> Words:
    keys = [key or "0" * 16 for key in keys]
    if not all(len(key) == 16 and _HEX.issuperset(key) for key in keys):
        raise ValueError("not all keys are 16 hex digits")
    return words(keys)


def numbered(texts: pa.ChunkedArray | Sequence[str | None]) -> Ints:
    """(N,) the same number for the same text, 0 for '' and null."""
    stated, digests = _digests(texts)
    order = np.lexsort(tuple(digests.T))
    new = np.zeros(max(len(order) - 1, 0), bool)
    for half in digests.T:  # one after the other, which takes less memory
        placed = half[order]
        new |= placed[1:] != placed[:-1]
    numbers = np.zeros(len(texts), np.int64)
    numbers[stated[order]] = 1 + np.cumsum(np.concatenate([np.zeros(min(len(order), 1), np.int64), new]))
    return numbers


def _digests(texts: pa.ChunkedArray | Sequence[str | None]) -> tuple[Ints, NDArray[np.uint64]]:
    """Rows with a text, and (M, 2) the digests of these: 128 bits stand for a text of any length."""
    stated, found, start = [np.empty(0, np.int64)], [], 0
    for batch in _batches(texts):
        some = [number for number, text in enumerate(batch) if text]
        stated.append(start + np.array(some, np.int64))
        found.append(b"".join(hashlib.blake2b(batch[number].encode(), digest_size=16).digest() for number in some))
        start += len(batch)
    return np.concatenate(stated), np.frombuffer(b"".join(found), np.uint64).reshape(-1, 2)


def lists(column: pa.ChunkedArray, length: int) -> NDArray[Any]:
    """(N, length) of a column of lists, zeros where there is none; a view where the column lies in one piece."""
    whole = column.chunk(0) if column.num_chunks == 1 else None
    if whole is not None and pa.types.is_fixed_size_list(whole.type) and not whole.null_count:
        return np.asarray(whole.flatten()).reshape(-1, length)
    values = np.zeros((len(column), length), numpy_type(column.type.value_type))
    values[np.asarray(pc.is_valid(column))] = np.asarray(pc.list_flatten(column)).reshape(-1, length)
    return values
