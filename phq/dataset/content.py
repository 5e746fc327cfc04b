"""The tag in the name of a shard: it follows from the content, so that no two contents share a name.

Readers that keep copies of shards go by the file's name alone (the cache of webdataset, the unpacked archives of
mlcroissant); under one name for all datasets they would give the samples of another one, or redacted ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

TAG_DIGITS = 12
UNNAMED = "0" * TAG_DIGITS
"""Tag of a shard until its content is known."""


def sample_digest(members: Iterable[bytes]) -> str:
    """32 hex digits of the members of a sample, in their order in the shard."""
    parts = b"".join(hashlib.sha256(member).digest() for member in members)
    return hashlib.sha256(parts).hexdigest()[:32]


def content_tag(shards: Mapping[int, Sequence[str]]) -> str:
    """Tag of shards that are written together: the same samples in the same shards have the same one.

    Args:
        shards: number of each shard → `sample_digest` of its samples, in order.
    """
    return content_tag_of(shards.items())


def content_tag_of(shards: Iterable[tuple[int, Sequence[str]]]) -> str:
    """`content_tag` of numbers and digests, of one shard after the other."""
    digest = hashlib.sha256()
    before = ""
    for number, digests in shards:
        digest.update(f"{before}{number} {' '.join(digests)}".encode())
        before = "\n"
    return digest.hexdigest()[:TAG_DIGITS]


def names_tag(shards: Iterable[str]) -> str:
    """Tag of a whole dataset: of the names of its shards, which follow from their content."""
    return hashlib.sha256("\n".join(shards).encode()).hexdigest()[:TAG_DIGITS]


def brace_ranges(shards: Iterable[str]) -> list[str]:
    """Shards in the notation that webdataset expands, ``phq-train-{000000..000042}-TAG.tar``: one text for each run of
    numbers with one tag.

    Args:
        shards: their paths, sorted.
    """
    runs: list[tuple[str, str, int, int]] = []
    for name in shards:
        before, digits, tag = name.rsplit("-", 2)
        number = int(digits)
        if runs and runs[-1][:2] == (before, tag) and runs[-1][3] == number - 1:
            runs[-1] = (before, tag, runs[-1][2], number)
        else:
            runs.append((before, tag, number, number))
    return [f"{before}-{_numbers(first, last)}-{tag}" for before, tag, first, last in runs]


def _numbers(first: int, last: int) -> str:
    return f"{first:06d}" if first == last else f"{{{first:06d}..{last:06d}}}"
