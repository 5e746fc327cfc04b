"""Write a whole dataset: shards split by split, what describes them, and the manifest last."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from phq.dataset.card import Card, dataset_card
from phq.dataset.croissant import croissant, stored_file
from phq.dataset.folder import CROISSANT, MANIFEST, SPLITS, check_folder, clear_dataset, shard_name
from phq.dataset.layout import plan_shards, sample_bytes
from phq.dataset.tables import write_rows, write_table
from phq.dataset.tar import MEMBERS, ShardWriter
from phq.dataset.wids_index import wids_index
from phq.schema import SCHEMA_VERSION, json_schema
from phq.system.atomic import atomic_write, tmp_path, write_bytes
from phq.system.json_text import json_bytes

Fields = dict[str, Any]
Fetch = Callable[[Fields], dict[str, bytes]]


def _check_kept(kept: list[Fields]) -> None:
    for row in kept:
        if row.get("split") not in SPLITS:
            raise ValueError(f"sample {row['key']} has split {row.get('split')!r}, expected one of {SPLITS}")
    key, times = next(iter(Counter(row["key"] for row in kept).most_common(1)), ("", 0))
    if times > 1:
        paths = ", ".join(row["source_path"] for row in kept if row["key"] == key)
        raise ValueError(f"{times} samples have the key {key} ({paths}): an image can be stored only once")


def _sample_bytes(row: Fields, fetch: Fetch) -> int:
    columns = [f"{prefix}_size" for prefix in MEMBERS.values()]
    if row.keys() >= set(columns):
        return sample_bytes(row[column] for column in columns)
    return sample_bytes(len(content) for content in fetch(row).values())


def _add(shard: ShardWriter, row: Fields, fetch: Fetch) -> Fields:
    members = fetch(row)
    if hashlib.sha256(members["jpg"]).hexdigest()[:16] != row["key"]:
        raise ValueError(f"sample {row['key']}: the key is not the hash of the image")
    places = shard.add(row["key"], members)
    offsets = {f"{MEMBERS[name]}_offset": offset for name, (offset, _) in places.items()}
    return offsets | {f"{MEMBERS[name]}_size": size for name, (_, size) in places.items()}


def _write_split(out: Path, split: str, rows: list[Fields], fetch: Fetch) -> dict[str, Fields]:
    """Shards and index of one split; the storage columns of its rows by key."""
    places: dict[str, Fields] = {}
    index = []
    for number, members in enumerate(plan_shards([_sample_bytes(row, fetch) for row in rows]) or [range(0)]):
        name = shard_name(split, number)
        with ShardWriter(out / name) as shard:
            for row in rows[members.start : members.stop]:
                places[row["key"]] = {"shard": name, **_add(shard, row, fetch)}
        index.append((Path(name).name, len(members), (out / name).stat().st_size))
    write_bytes(out / split / "index.json", wids_index(split, index))
    return places


def _by_split(kept: list[Fields]) -> Iterator[tuple[str, list[Fields]]]:
    for split in SPLITS:
        rows = [row for row in kept if row["split"] == split]
        # nothing kept: an empty train split, or `datasets` would take the parquet files for the data
        if rows or (split == "train" and not kept):
            yield split, rows


def write_dataset(out: Path, kept: list[Fields], rejects: list[Fields], fetch: Fetch, run: Fields, card: Card) -> None:
    """Write the dataset into a folder that is new, empty, or holds an earlier attempt of phq.

    The folder is a dataset once ``manifest.parquet`` is there: an earlier manifest goes first and the new one
    comes last, so after a crash the same call simply starts again and gives the same bytes. Rows keep their
    order, in the shards within each split and in the manifest.

    Args:
        out: the folder.
        kept: fields of `phq.schema.Row` without the storage columns, in final order, `split` set. With
            ``jpg_size``, ``json_size`` and ``mask_size`` among them `fetch` runs once a sample, else twice.
        rejects: fields of `Row`, as many as were computed; what is missing becomes null.
        fetch: the three members of a kept row; called when they are needed and never for all at once.
        run: content of ``run.json``.
        card: what the rows do not say about the dataset; kept in ``run.json`` under "card".

    Raises:
        OutputError: the folder has files of somebody else in the way, or cannot be written (full disk…).
        ValueError: a row or its members break the format; the message names the sample or the field.
    """
    _check_kept(kept)
    check_folder(out)
    clear_dataset(out)
    splits = dict(_by_split(kept))
    places: dict[str, Fields] = {}
    for split, rows in splits.items():
        places |= _write_split(out, split, rows, fetch)
    write_bytes(out / "schema.json", json_bytes(json_schema()))
    write_bytes(out / "run.json", json_bytes({"schema_version": SCHEMA_VERSION, **run, "card": card.record()}))
    write_table(out / "rejects.parquet", ({"shard": "", **row} for row in rejects), complete=False)
    counts = {split: len(rows) for split, rows in splits.items()}
    write_bytes(out / "README.md", dataset_card(card, counts, kept, rejects).encode())
    with atomic_write(out / MANIFEST) as stream:
        write_rows(stream, ({**row, **places[row["key"]]} for row in kept), complete=True)
        stream.flush()
        write_bytes(out / CROISSANT, _croissant(out, card, kept, list(splits)))


def _croissant(out: Path, card: Card, kept: list[Fields], splits: list[str]) -> bytes:
    """``croissant.json`` with the checksums of the shards, and of the manifest, which has not got its name yet."""
    names = [path.relative_to(out).as_posix() for split in splits for path in sorted((out / split).glob("*.tar"))]
    manifest = stored_file(out, MANIFEST, tmp_path(out / MANIFEST))
    return croissant(card, kept, manifest, [stored_file(out, name) for name in names])
