"""How many samples each shard of a split has once some are gone: pure arithmetic, no files."""

from __future__ import annotations

from collections.abc import Sequence

from phq.dataset.layout import even_ranges


def recut(left: Sequence[int]) -> list[int]:
    """Samples of each shard, none empty, for shards of which `left` samples are left.

    Order, names and numbers stay, and so do shards that lost nothing: one that lost everything shares the samples of
    as few neighbours as it takes, those after it first. There are fewer shards only where a split has fewer samples
    than shards; then each has one.
    """
    if sum(left) <= len(left):
        return [1] * sum(left)
    sizes = list(left)
    while 0 in sizes:
        start = sizes.index(0)
        end = start + 1
        while sum(sizes[start:end]) < end - start:
            start, end = (start, end + 1) if end < len(sizes) else (start - 1, end)
        sizes[start:end] = [len(part) for part in even_ranges(sum(sizes[start:end]), end - start)]
    return sizes
