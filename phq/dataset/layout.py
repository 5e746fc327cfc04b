"""The distribution of samples over shards: pure arithmetic, no files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from phq.system.arrays import Ints

SAMPLES_PER_SHARD = 4096
BYTES_PER_SHARD = 1 << 30
MIN_SHARDS = 8
"""So that eight workers of a loader have a shard each."""

BLOCK = 512
"""A tar member is a header of one block and its content padded to whole blocks (POSIX.1-1988, ustar)."""
_RECORD = 20 * BLOCK


def blocks(size: int) -> int:
    """Tar blocks that hold `size` bytes."""
    return -(-size // BLOCK)


def sample_bytes(member_sizes: Iterable[int]) -> int:
    """Bytes a sample takes in a tar, headers and padding included."""
    return sum(BLOCK * (1 + blocks(size)) for size in member_sizes)


def sample_sizes(members: Iterable[Ints]) -> Ints:
    """`sample_bytes` of N samples.

    Args:
        members: (N,) sizes of each member.
    """
    return np.asarray(sum(BLOCK * (1 + -(-sizes // BLOCK)) for sizes in members), np.int64)


def shard_bytes(samples: int) -> int:
    """Size of a tar whose samples take `samples` bytes: two zero blocks end it, whole records fill it."""
    return -(-(samples + 2 * BLOCK) // _RECORD) * _RECORD


def shard_count(n: int, total: int, least: int = MIN_SHARDS) -> int:
    """Shards for `n` samples of `total` bytes: 4,096 samples or 1 GiB each, at least 8 from 8 samples on."""
    return max(-(-n // SAMPLES_PER_SHARD), min(-(-total // BYTES_PER_SHARD), n), min(least, n))


def even_ranges(n: int, shards: int) -> list[range]:
    """Contiguous ranges over 0..n-1 whose lengths differ by at most one."""
    return [range(i * n // shards, (i + 1) * n // shards) for i in range(shards)]


def plan_shards(sizes: Sequence[int] | Ints, least: int = MIN_SHARDS) -> list[range]:
    """Ranges of sample numbers, one a shard, as even as possible.

    No shard has more than 4,096 samples, and none is above 1 GiB unless a single sample is.

    Args:
        sizes: bytes of each sample in the tar (`sample_bytes`), in order.
        least: shards at least, as far as there are samples; those that follow others need not be many.
    """
    ends = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    shards = shard_count(len(sizes), int(ends[-1]), least)
    while True:
        ranges = even_ranges(len(sizes), shards)
        if all(len(r) == 1 or shard_bytes(int(ends[r.stop] - ends[r.start])) <= BYTES_PER_SHARD for r in ranges):
            return ranges
        shards += 1
