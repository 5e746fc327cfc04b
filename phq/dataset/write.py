"""Write a whole dataset: shards split by split, the files that describe them, and the manifest last."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

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
from phq.dataset.keys import Keys
from phq.dataset.layout import plan_shards, sample_bytes, sample_sizes
from phq.dataset.measured import Measured
from phq.dataset.stored_rows import column_batches
from phq.dataset.summary import COLUMNS, Summary
from phq.dataset.tables import row_tables, write_tables
from phq.dataset.tar import MEMBERS, STORAGE, ShardWriter
from phq.dataset.wids_index import wids_index
from phq.schema import SCHEMA_VERSION, Fields, json_schema
from phq.system.arrays import Ints
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


@cache
def schema_file() -> bytes:
    """Content of ``schema.json``, the same in every dataset."""
    return json_bytes(json_schema())


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
    write_bytes(out / SCHEMA, schema_file())
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


def write_dataset(
    out: Path, kept: Sequence[Fields], rejects: Sequence[Fields], fetch: Fetch, run: Fields, card: Card
) -> None:
    """Write a dataset whose rows are known into a folder that is new, empty, or holds an earlier attempt of phq.

    The folder is a dataset once ``manifest.parquet`` is there: an earlier manifest goes first and the new one comes
    last, so after a crash the same call simply starts again and gives the same bytes. Rows keep their order, in the
    shards within each split and in the manifest. In memory are some 80 bytes a row, and rows one at a time where they
    lie on the disk (`phq.dataset.stored_rows`).

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
    side = _checked_kept(kept)
    check_folder(out)
    clear_dataset(out)
    sizes, storage = _sizes(kept, fetch), _Storage(len(kept))
    shards = {
        split: list(_write_split(out, split, _Rows(kept, rows, sizes[rows]), fetch, storage))
        for split, rows in _by_split(side)
    }
    manifest = row_tables(({**row, **storage.fields(number)} for number, row in enumerate(kept)), complete=True)
    rejected = row_tables(({"shard": "", **row} for row in rejects), complete=False)
    summary = Summary(column_batches(kept, COLUMNS), column_batches(rejects, ["reason"]))
    finish_dataset(out, shards, Content(summary, manifest, rejected), run, card)


@dataclass(frozen=True)
class _Rows:
    """The rows of a split."""

    all: Sequence[Fields]
    numbers: Ints
    """(n,) among all."""
    sizes: Ints
    """(n,) bytes of each in the tar."""


class _Storage:
    """The storage columns of N rows: 52 bytes each."""

    def __init__(self, count: int) -> None:
        self.shards: list[str] = []
        self._shard = np.zeros(count, np.int32)
        self._places = np.zeros((count, len(STORAGE) - 1), np.int64)

    def place(self, number: int, fields: Fields) -> None:
        """Keep where the bytes of a row are, in the shard that will be named next."""
        self._shard[number] = len(self.shards)
        self._places[number] = [fields[name] for name in STORAGE[1:]]

    def fields(self, number: int) -> Fields:
        """`STORAGE` of a row."""
        return dict(zip(STORAGE, [self.shards[self._shard[number]], *self._places[number].tolist()], strict=True))


def _checked_kept(kept: Sequence[Fields]) -> NDArray[np.int8]:
    """(N,) number of the split of each row."""
    sides, keys = [np.empty(0, np.int8)], [np.empty(0, "S16")]
    for table in column_batches(kept, ("key", "split")):
        side = np.asarray(pc.fill_null(pc.index_in(table["split"], pa.array(SPLITS, table["split"].type)), -1), np.int8)
        for number in np.flatnonzero(side < 0)[:1].tolist():
            key, split = (table[name][number].as_py() for name in ("key", "split"))
            raise ValueError(f"sample {key} has split {split!r}, expected one of {SPLITS}")
        sides.append(side)
        keys.append(np.array([key.encode() for key in table["key"].to_pylist()], "S"))
    _check_distinct(kept, np.concatenate(keys))
    return np.concatenate(sides)


def _check_distinct(kept: Sequence[Fields], keys: Keys) -> None:
    ordered = np.sort(keys)
    for repeated in ordered[1:][ordered[1:] == ordered[:-1]][:1]:
        rows = [kept[number] for number in np.flatnonzero(keys == repeated).tolist()]
        paths = ", ".join(row["source_path"] for row in rows)
        what = f"{len(rows)} samples have the key {rows[0]['key']} ({paths})"
        raise ValueError(f"{what}: an image can be stored only once")


def _by_split(side: NDArray[np.int8]) -> Iterator[tuple[str, Ints]]:
    for number, split in enumerate(SPLITS):
        rows = np.flatnonzero(side == number)
        # nothing kept: an empty train split, or `datasets` would take the parquet files for the data
        if len(rows) or (split == SPLITS[0] and not len(side)):
            yield split, rows


def _sizes(kept: Sequence[Fields], fetch: Fetch) -> Ints:
    """(N,) bytes of each sample in a tar."""
    found = [np.empty(0, np.int64)]
    for table in column_batches(kept, [f"{prefix}_size" for prefix in MEMBERS.values()]):
        if any(column.null_count for column in table.columns):
            return np.array([sample_bytes(map(len, fetch(row).values())) for row in kept], np.int64)
        found.append(sample_sizes(column.to_numpy() for column in table.columns))
    return np.concatenate(found)


def _write_split(out: Path, split: str, rows: _Rows, fetch: Fetch, storage: _Storage) -> Iterator[Shard]:
    """The shards of a split, under their names once all are written; sets the storage columns of its rows."""
    parts = plan_shards(rows.sizes) or [range(0)]
    written, first = [], len(storage.shards)
    for number, part in enumerate(parts):
        name = shard_name(split, number, UNNAMED)
        with ShardWriter(out / name, name) as shard:
            for place in rows.numbers[part.start : part.stop].tolist():
                row = rows.all[place]
                storage.place(place, shard.add(row["key"], _checked(row["key"], fetch(row))))
        storage.shards.append(name)
        written.append(shard)
    tag = content_tag({number: shard.digests for number, shard in enumerate(written)})
    for number, (part, shard) in enumerate(zip(parts, written, strict=True)):
        name = shard_name(split, number, tag)
        with output_errors(out / name):
            shard.path.replace(out / name)
        storage.shards[first + number] = name
        yield Shard(StoredFile(name, shard.measured.size, shard.measured.sha256), len(part))
    with output_errors(out / split):
        sync_folder(out / split)


def _checked(key: str, members: Mapping[str, bytes]) -> Mapping[str, bytes]:
    if hashlib.sha256(members["jpg"]).hexdigest()[:16] != key:
        raise ValueError(f"sample {key}: the key is not the hash of the image")
    return members
