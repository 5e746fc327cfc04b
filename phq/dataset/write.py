"""Write a whole dataset: shards split by split, the files that describe them, and the manifest last."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from phq.dataset.card import Card, dataset_card
from phq.dataset.content import UNNAMED, content_tag
from phq.dataset.croissant import StoredFile, croissant
from phq.dataset.folder import (
    CARD,
    CROISSANT,
    MANIFEST,
    REJECTS,
    RUN,
    SCHEMA,
    SPLITS,
    check_folder,
    clear_dataset,
    index_name,
    shard_name,
)
from phq.dataset.layout import plan_shards, sample_bytes
from phq.dataset.measured import Measured
from phq.dataset.summary import COLUMNS, Summary
from phq.dataset.tables import row_tables, rows_table, write_tables
from phq.dataset.tar import MEMBERS, ShardWriter
from phq.dataset.wids_index import wids_index
from phq.schema import SCHEMA_VERSION, Fields, json_schema
from phq.system.atomic import atomic_write, output_errors, sync_folder, write_bytes
from phq.system.json_text import json_bytes

Fetch = Callable[[Fields], Mapping[str, bytes]]


@dataclass(frozen=True)
class Shard:
    """A shard that is written."""

    file: StoredFile
    samples: int


@dataclass(frozen=True)
class Content:
    """The rows of a dataset whose shards are written."""

    summary: Summary
    manifest: Iterable[pa.Table]
    """All columns of the samples, in the order of the dataset."""
    rejected: Iterable[pa.Table]


def finish_dataset(out: Path, shards: Mapping[str, Sequence[Shard]], content: Content, run: Fields, card: Card) -> None:
    """Write everything beside the shards: indexes, schema, ``run.json``, tables and descriptions; the manifest last.

    Args:
        out: folder or URL of the dataset.
        shards: those of every split that exists, in order.
        content: its rows.
        run: content of ``run.json``.
        card: what the rows do not say about the dataset; kept in ``run.json`` under "card".

    Raises:
        OutputError: see `phq.system.atomic.output_errors`.
        ValueError: a row breaks the format.
    """
    for split, written in shards.items():
        entries = [(shard.file.name, shard.samples, shard.file.size) for shard in written]
        write_bytes(out / index_name(split), wids_index(split, entries))
    write_bytes(out / SCHEMA, json_bytes(json_schema()))
    write_bytes(out / RUN, json_bytes({"schema_version": SCHEMA_VERSION, **run, "card": card.record()}))
    with atomic_write(out / REJECTS) as stream:
        write_tables(stream, content.rejected)
    sizes = {split: sum(shard.samples for shard in written) for split, written in shards.items()}
    names = sorted(shard.file.name for written in shards.values() for shard in written if shard.samples)
    write_bytes(out / CARD, dataset_card(card, sizes, names, content.summary).encode())
    with atomic_write(out / MANIFEST) as stream:
        measured = Measured(stream)
        write_tables(measured, content.manifest)  # type: ignore[arg-type]
        measured.flush()
        manifest = StoredFile(MANIFEST, measured.size, measured.sha256)
        files = [shard.file for written in shards.values() for shard in written]
        licences = content.summary.licences
        write_bytes(out / CROISSANT, croissant(card, licences, manifest, files))  # has the manifest's checksum


def write_dataset(out: Path, kept: list[Fields], rejects: list[Fields], fetch: Fetch, run: Fields, card: Card) -> None:
    """Write a dataset whose rows are in memory into a folder that is new, empty, or holds an earlier attempt of phq.

    The folder is a dataset once ``manifest.parquet`` is there: an earlier manifest goes first and the new one comes
    last, so after a crash the same call simply starts again and gives the same bytes. Rows keep their order, in the
    shards within each split and in the manifest.

    Args:
        out: the folder.
        kept: fields of `phq.schema.Row` without the storage columns, in final order, `split` set. With ``jpg_size``,
            ``json_size`` and ``mask_size`` among them `fetch` runs once a sample, else twice.
        rejects: fields of `Row` that were computed; what is missing becomes null.
        fetch: the three members of a kept row; called when they are needed and never for all at once.
        run: content of ``run.json``.
        card: what the rows do not say about the dataset.

    Raises:
        OutputError: files that phq did not write are in the way, or the folder cannot be written (full disk…).
        ValueError: a row or its members break the format; the message names the sample or the field.
    """
    _check_kept(kept)
    check_folder(out)
    clear_dataset(out)
    storage: dict[str, Fields] = {}
    shards = {split: list(_write_split(out, split, rows, fetch, storage)) for split, rows in _by_split(kept)}
    manifest = row_tables(({**row, **storage[row["key"]]} for row in kept), complete=True)
    rejected = row_tables(({"shard": "", **row} for row in rejects), complete=False)
    summary = Summary([rows_table(kept, COLUMNS)], [rows_table(rejects, ["reason"])])
    finish_dataset(out, shards, Content(summary, manifest, rejected), run, card)


def _check_kept(kept: list[Fields]) -> None:
    for row in kept:
        if row.get("split") not in SPLITS:
            raise ValueError(f"sample {row['key']} has split {row.get('split')!r}, expected one of {SPLITS}")
    key, times = next(iter(Counter(row["key"] for row in kept).most_common(1)), ("", 0))
    if times > 1:
        paths = ", ".join(row["source_path"] for row in kept if row["key"] == key)
        raise ValueError(f"{times} samples have the key {key} ({paths}): an image can be stored only once")


def _by_split(kept: list[Fields]) -> Iterator[tuple[str, list[Fields]]]:
    for split in SPLITS:
        rows = [row for row in kept if row["split"] == split]
        # nothing kept: an empty train split, or `datasets` would take the parquet files for the data
        if rows or (split == "train" and not kept):
            yield split, rows


def _write_split(
    out: Path, split: str, rows: list[Fields], fetch: Fetch, storage: dict[str, Fields]
) -> Iterator[Shard]:
    """The shards of a split, under their names once all are written; sets the storage columns of its rows by key."""
    parts = plan_shards([_sample_bytes(row, fetch) for row in rows]) or [range(0)]
    written = []
    for number, part in enumerate(parts):
        name = shard_name(split, number, UNNAMED)
        with ShardWriter(out / name, name) as shard:
            for row in rows[part.start : part.stop]:
                storage[row["key"]] = shard.add(row["key"], _checked(row["key"], fetch(row)))
        written.append(shard)
    tag = content_tag({number: shard.digests for number, shard in enumerate(written)})
    for number, (part, shard) in enumerate(zip(parts, written, strict=True)):
        name = shard_name(split, number, tag)
        with output_errors(out / name):
            shard.path.replace(out / name)
        for row in rows[part.start : part.stop]:
            storage[row["key"]]["shard"] = name
        yield Shard(StoredFile(name, shard.measured.size, shard.measured.sha256), len(part))
    with output_errors(out / split):
        sync_folder(out / split)


def _sample_bytes(row: Fields, fetch: Fetch) -> int:
    columns = [f"{prefix}_size" for prefix in MEMBERS.values()]
    if row.keys() >= set(columns):
        return sample_bytes(row[column] for column in columns)
    return sample_bytes(len(content) for content in fetch(row).values())


def _checked(key: str, members: Mapping[str, bytes]) -> Mapping[str, bytes]:
    if hashlib.sha256(members["jpg"]).hexdigest()[:16] != key:
        raise ValueError(f"sample {key}: the key is not the hash of the image")
    return members
