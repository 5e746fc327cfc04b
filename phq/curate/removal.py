"""Removing rows from a dataset: every file of its folder that changes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from phq.building.contact_sheet import choose, write_contact_sheet
from phq.curate.redaction_target import COLUMNS, Target
from phq.curate.rewrite import Storage, changes_table, moved, rewrite_table
from phq.dataset.content import UNNAMED, content_tag
from phq.dataset.derived import drawings
from phq.dataset.descriptions import DESCRIBED, Descriptions, Tables
from phq.dataset.folder import MANIFEST, MARKS_LOG, OVERLAYS, PREVIEW, REJECTS, SHEET, SPLITS, shard_name, shard_number
from phq.dataset.layout import even_ranges
from phq.dataset.marks_log import without_keys
from phq.dataset.preview import preview_keys, remove_from_preview
from phq.dataset.reader import Dataset
from phq.dataset.scrub import Scrubber
from phq.dataset.tar import MEMBERS, ShardWriter
from phq.dataset.whole_columns import columns
from phq.errors import InputError
from phq.system.arrays import Bools, Ints
from phq.system.atomic import output_errors
from phq.system.journal import Change


class Stored:
    """A dataset as it is: rows of the manifest, after them those of the rejects."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.samples = Dataset(folder, revision=None, rejects=True)
        self.table = columns(self.samples, (*COLUMNS, *DESCRIBED, "jpg_offset"))
        shard = self.table["shard"].combine_chunks()
        self.in_shards: Bools = np.asarray(pc.fill_null(pc.not_equal(shard, ""), False))
        names: list[str] = pc.unique(shard).to_pylist()
        self.shards = {split: sorted(n for n in names if n and n.startswith(f"{split}/")) for split in SPLITS}

    def rows_of(self, shard: str) -> Ints:
        """Numbers of the samples of a shard, in its order."""
        rows = np.flatnonzero(np.asarray(pc.fill_null(pc.equal(self.table["shard"], shard), False)))
        order = np.argsort(np.asarray(self.table["jpg_offset"].take(rows)), kind="stable")
        return np.asarray(rows[order])


class Removal:
    """Stages the dataset without the rows of a target.

    Args:
        change: collects the new files.
        stored: the dataset as it is.
        target: the rows to remove, at least one.
    """

    def __init__(self, change: Change, stored: Stored, target: Target) -> None:
        self.change = change
        self.stored = stored
        self.target = target
        self.scrubber = Scrubber(target.keys, target.names)
        self.shards: dict[str, dict[str, int]] = {}
        """Split → samples of each of its shards afterwards."""
        self.touched: list[str] = []
        """Shards that are written again or deleted."""
        self._storage: Storage = {}

    def stage(self) -> None:
        """Shards, tables, marks of reviews, overlays, preview, contact sheet, and what describes them."""
        for split in SPLITS:
            self._stage_split(split)
        if not any(self.shards.values()):
            self._stage_no_samples()
        self._stage_tables()
        if (log := self.stored.folder / MARKS_LOG).exists():
            self.change.write(MARKS_LOG, without_keys(log.read_bytes(), self.target.keys))
        for path in sorted((self.stored.folder / OVERLAYS).glob("*.parquet")):
            self._stage_overlay(path)
        if not self.target.keys.isdisjoint(preview_keys(preview := self.stored.folder / PREVIEW)):
            remove_from_preview(preview, self.change.path(PREVIEW), self.target.keys)
        if SHEET in drawings(self.stored.folder):
            self._stage_sheet()
        before, after = self._tables(np.ones_like(self.target.rows)), self._tables(~self.target.rows)
        Descriptions(self.change, self.scrubber, before, after, self.shards).stage(self.stored.samples.run)

    def _stage_split(self, split: str) -> None:
        names = self.stored.shards[split]
        before = [self.stored.rows_of(name) for name in names]
        left = [rows[~self.target.rows[rows]] for rows in before]
        sizes = shard_sizes([len(rows) for rows in left])
        after = np.split(np.concatenate([np.empty(0, np.int64), *left]), np.cumsum(sizes)[:-1]) if sizes else []
        self.shards[split] = {}
        for name, old, new in zip(names, before, [*after, *[None] * (len(names) - len(after))], strict=True):
            if new is not None and np.array_equal(old, new):
                self.shards[split][name] = len(new)
                continue
            if new is not None:  # fewer shards than before drop off at the end
                self.shards[split][self._write_shard(split, shard_number(name), new)] = len(new)
            self.change.delete(name)
            self.touched.append(name)

    def _stage_no_samples(self) -> None:
        """One empty shard, as `phq.dataset.write.write_dataset` writes it for a dataset without samples."""
        self.shards["train"] = {self._write_shard("train", 0, np.empty(0, np.int64)): 0}

    def _write_shard(self, split: str, number: int, rows: Ints) -> str:
        """A shard of stored samples, byte for byte as they were, under the name of its new content.

        Under the old name, readers that keep copies would go on giving what is gone.
        """
        with ShardWriter(self.change.path(shard_name(split, number, UNNAMED))) as shard:
            items = self.stored.samples.select(rows)
            storage = {i.key: shard.add(i.key, {name: i.read(name) for name in MEMBERS}) for i in items}
        name = shard_name(split, number, content_tag({number: shard.digests}))
        with output_errors(shard.path):
            shard.path.replace(self.change.path(name))
        self._storage |= {key: {**columns, "shard": name} for key, columns in storage.items()}
        return name

    def _stage_tables(self) -> None:
        for name, first in ((MANIFEST, 0), (REJECTS, int(self.stored.in_shards.sum()))):
            edit = partial(self._without_rows, first)
            if changes_table(self.stored.folder / name, edit):
                rewrite_table(self.stored.folder / name, self.change.path(name), edit)

    def _without_rows(self, first: int, table: pa.Table, start: int) -> pa.Table:
        gone = self.target.rows[first + start : first + start + len(table)]
        return moved(self.scrubber.table(table.filter(pa.array(~gone))), self._storage)

    def _stage_overlay(self, path: Path) -> None:
        notes = _notes(path)
        scrubbed = {name: self._scrubbed_note(text) for name, text in notes.items()}
        if scrubbed != notes or changes_table(path, self._without_keys):
            rewrite_table(path, self.change.path(f"{OVERLAYS}/{path.name}"), self._without_keys, scrubbed)

    def _without_keys(self, table: pa.Table, _: int) -> pa.Table:
        keys = pa.array(sorted(self.target.keys), pa.string())
        return self.scrubber.table(table.filter(pc.invert(pc.is_in(table["key"], value_set=keys))))

    def _scrubbed_note(self, text: str) -> str:
        try:
            value = json.loads(text)
        except ValueError:
            return self.scrubber.text(text)
        scrubbed = self.scrubber.json(value)
        return text if scrubbed == value else json.dumps(scrubbed, sort_keys=True, ensure_ascii=False)

    def _stage_sheet(self) -> None:
        samples = self.stored.samples.select(~self.target.rows & self.stored.in_shards)
        chosen = choose(samples.columns(["key", "camera_yaw_deg"]).to_pylist())
        rows = [samples[row["key"]].row for row in chosen]
        pictures = {row["key"]: {name: samples[row["key"]].read(name) for name in ("jpg", "mask.png")} for row in rows}
        write_contact_sheet(self.change.path(SHEET), rows, lambda row: pictures[row["key"]])

    def _tables(self, rows: Bools) -> Tables:
        table, stored = self.stored.table.select(DESCRIBED), self.stored.in_shards
        return Tables(table.filter(pa.array(rows & stored)), table.filter(pa.array(rows & ~stored)))


def _notes(path: Path) -> dict[str, str]:
    """Metadata of an overlay.

    Raises:
        InputError: it is not an overlay, so it is not known how it would name a sample.
    """
    try:
        with path.open("rb") as stream:
            metadata = pq.read_schema(stream).metadata or {}
    except pa.ArrowInvalid:
        metadata = {}
    if metadata.get(b"kind") != b"overlay":
        raise InputError(f"{path} is not an overlay of phq: its entries on the samples cannot be removed; move it away")
    return {name.decode(): text.decode() for name, text in metadata.items()}


def shard_sizes(left: Sequence[int]) -> list[int]:
    """Samples of each shard, none empty, for shards of which `left` samples are left.

    Order, names and numbers stay, and so do shards that lost nothing: one that lost everything shares the samples of
    as few neighbours as possible, those after it first. There are fewer shards only where a split has fewer samples
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
