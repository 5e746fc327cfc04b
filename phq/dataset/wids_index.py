"""The index of a split: the list of shards that `wids` opens."""

from __future__ import annotations

import json
from collections.abc import Iterable

from phq.schema import SCHEMA_VERSION


def wids_index(split: str, shards: Iterable[tuple[str, int, int]]) -> bytes:
    """Index of version 1; `wids` resolves the relative urls against the folder of the index.

    Args:
        split: name of the split.
        shards: path inside the dataset, number of samples and bytes of each shard.
    """
    entries = [{"url": url, "nsamples": count, "filesize": size} for url, count, size in shards]
    index = {
        "__kind__": "wids-shard-index-v1",
        "wids_version": 1,
        "name": f"phq-{split}",
        "info": SCHEMA_VERSION,
        "shardlist": entries,
    }
    return (json.dumps(index, indent=2) + "\n").encode()
