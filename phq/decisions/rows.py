"""Decisions about rows that are in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from phq.config.build import Config
from phq.dataset.tables import arrow_schema, read_table
from phq.dataset.tar import MEMBERS
from phq.decisions.alike import STORED as LIKENESS
from phq.decisions.alike import compacted, find_alike
from phq.decisions.rules import decide, scores_of
from phq.decisions.split_groups import split_groups
from phq.schema import GROUPS, rounded

Fields = dict[str, Any]
UNGROUPED = dict.fromkeys(GROUPS, "")
STORAGE = tuple(f"{prefix}_{what}" for prefix in MEMBERS.values() for what in ("offset", "size"))


def read_rows(tables: Iterable[Path]) -> list[Fields]:
    """Rows of all unit tables, in order; fields never computed are absent."""
    rows: list[Fields] = []
    for path in tables:
        rows += [{k: v for k, v in row.items() if v is not None} for row in read_table(path).to_pylist()]
    return rows


def conclude(rows: list[Fields], config: Config) -> tuple[list[Fields], list[Fields]]:
    """(kept, rejects): every row with its decision; the kept ones with split, in the order of the dataset.

    The order is that of the keys, which are hashes: an even shuffle that does not change when photos are added.
    """
    every = [decided(row, config) for row in rows]
    mark_duplicates([row for row in every if row["decision"] == "kept"], config)
    kept = sorted((r for r in every if r["decision"] == "kept"), key=lambda r: str(r["key"]))
    groups = split_groups(every)  # of the rejects too: another threshold moves nobody to the other side
    for row in kept:
        row["split"] = split_of(groups[row["source_sha256"]], config)
    return kept, [without_storage(row) for row in every if row["decision"] == "rejected"]


def split_of(group: str, config: Config) -> str:
    """train or val, by a hash of the group (see `split_groups`) and the seed: what must not be separated is not."""
    digest = hashlib.sha256(f"{config.seed}:{group}".encode()).digest()
    return "val" if int.from_bytes(digest[:8], "big") < config.split.val_fraction * 2**64 else "train"


def decided(row: Fields, config: Config) -> Fields:
    """The row with what its scores and the thresholds say; what a stage has thrown out stays so."""
    if row["reason"]:  # a stage has thrown it out
        return {**row, "split": "", **UNGROUPED}
    decision = decide(scores_of(row), config.thresholds)
    outcome = {name: getattr(decision, name) for name in ("decision", "reason", "detail", "score_name")}
    numbers = {name: rounded(name, getattr(decision, name)) for name in ("threshold", "margin")}
    return {**row, **outcome, **numbers, "split": "", **UNGROUPED}


def mark_duplicates(rows: list[Fields], config: Config) -> None:
    """Record what each row repeats, and the groups it is in; reject it if the configuration says so."""
    schema = pa.schema([arrow_schema().field(name) for name in LIKENESS])
    table = pa.Table.from_pylist([{name: row.get(name) for name in LIKENESS} for row in rows], schema)
    for index, fields in find_alike(compacted(table), config).items():
        rows[index] |= fields


def without_storage(row: Fields) -> Fields:
    """The row without its place in a unit's blob, which is gone once the dataset stands."""
    return {name: value for name, value in row.items() if name not in STORAGE} | {"shard": ""}
