"""A revision of a dataset: the rows and members of the new dataset that it becomes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from phq.curate.migrations import Migration, migrated
from phq.dataset.folder import MANIFEST, REJECTS
from phq.dataset.overlays import apply_overlays, names_up_to, overlay_file
from phq.dataset.places import COLUMNS, Places
from phq.dataset.root import Root
from phq.dataset.run import read_run
from phq.dataset.tar import MEMBERS, STORAGE
from phq.dataset.write import Fetch
from phq.errors import InputError
from phq.schema import DECISION, Fields, Row, Sample, make_sample, sample_to_json
from phq.system.bars import bar
from phq.system.sizes import check_room, say_size


class Revision:
    """A dataset with some of its overlays applied; its tables may be of any version of the format.

    Raises:
        InputError: this is not a dataset, or it has no such revision.
    """

    def __init__(self, root: Root, overlay: str | None, migrations: Sequence[Migration]) -> None:
        self.run = read_run(root)
        """Content of ``run.json``."""
        self.names = names_up_to(self.run, overlay)
        """Overlays of the revision, bottom to top."""
        self.overlays = [_table(root, overlay_file(name)) for name in self.names]
        self.migrations = migrations
        self.steps: Counter[str] = Counter()
        """Records by the name of the migration they went through."""
        self.manifest = _table(root, MANIFEST)
        self.rejected = _table(root, REJECTS)
        self._places = Places(root, self.manifest.select(COLUMNS))
        self._number = {key: number for number, key in enumerate(self.manifest["key"].to_pylist())}

    def abouts(self) -> list[dict[str, Any]]:
        """The record of each overlay."""
        return [json.loads((overlay.schema.metadata or {}).get(b"about", b"{}")) for overlay in self.overlays]

    def rows(self) -> tuple[list[Fields], list[Fields]]:
        """(kept, rejects), as `phq.dataset.write.write_dataset` takes them; those rejected by overlays come last."""
        known = self._known(apply_overlays(self.manifest, self.overlays))
        rows = [self._migrated(row) for batch in known.to_batches(1024) for row in batch.to_pylist()]
        kept = [row | {"json_size": len(encoded(row))} for row in rows if row["decision"] == "kept"]
        gone = [row | {"split": ""} for row in rows if row["decision"] != "kept"]
        return kept, [*self._rejects(), *({k: v for k, v in row.items() if k not in STORAGE} for row in gone)]

    def _rejects(self) -> list[Fields]:
        """Rows that were rejects before; an overlay may change them, but none has a picture that could be kept."""
        keys = pc.is_in(self.rejected["key"], value_set=self.manifest["key"])
        # where an image is stored and was rejected again as a copy, an overlay is about the stored one
        masked = pc.if_else(keys, pa.scalar(None, pa.string()), self.rejected["key"])
        index = self.rejected.schema.get_field_index("key")
        table = self._known(apply_overlays(self.rejected.set_column(index, "key", masked), self.overlays))
        decisions = self.rejected.select(["key", *DECISION]).to_pylist()
        rows = []
        for folded, before in zip(table.to_pylist(), decisions, strict=True):
            row = folded | (before if folded["decision"] == "kept" else {"key": before["key"]})
            rows.append(self._migrated({k: v for k, v in row.items() if v is not None and k not in STORAGE}))
        return rows

    def _known(self, table: pa.Table) -> pa.Table:
        """Without the columns that only an overlay has; `extra` has them."""
        stored = {*self.manifest.column_names, *Row.model_fields}
        return table.select([name for name in table.column_names if name in stored])

    def _migrated(self, row: Fields) -> Fields:
        row, steps = migrated(row, self.migrations)
        self.steps.update(steps)
        return row

    def members(self, row: Fields) -> dict[str, bytes]:
        """Picture and mask as they are stored, and the json of the row."""
        number = self._number[row["key"]]
        return {name: encoded(row) if name == "json" else self._places.read(number, name) for name in MEMBERS}

    def extra(self, overlay: pa.Table, kept: set[str]) -> pa.Table:
        """The columns of an overlay that are its own, of the samples that are kept."""
        own = [name for name in overlay.column_names if name not in {*self.manifest.column_names, *Row.model_fields}]
        rows = overlay.filter(pc.is_in(overlay["key"], value_set=pa.array(sorted(kept), pa.string())))
        return rows.select(["key", *own])


@contextmanager
def fetching(out: Path, kept: Sequence[Fields], fetch: Fetch, desc: str, quiet: bool) -> Iterator[Fetch]:
    """Say how much will be written, and show how many samples have been.

    Args:
        out: folder of the new dataset.
        kept: rows of its samples, with the sizes of their members.
        fetch: gives the members of a row; called once a sample.
        desc: what is done, in a word.
        quiet: show nothing.

    Yields:
        `fetch`, counted.

    Raises:
        OutputError: the disk has no room for them.
    """
    size = sum(row.get(f"{prefix}_size", 0) for row in kept for prefix in MEMBERS.values())
    say_size(f"writing {len(kept)} samples to {out}", size, quiet)
    check_room(out, size)
    with bar(total=len(kept), unit="sample", desc=desc, quiet=quiet) as shown:

        def counted(row: Fields) -> Mapping[str, bytes]:
            shown.update()
            return fetch(row)

        yield counted


def encoded(row: Fields) -> bytes:
    """The json member of a row."""
    return sample_to_json(make_sample({name: row[name] for name in Sample.model_fields}))


def _table(root: Root, name: str) -> pa.Table:
    with root.open(name) as stream:
        try:
            table = pq.read_table(stream)
        except pa.ArrowInvalid as error:
            raise InputError(f"{name} of {root.where} is damaged: {error}") from error
    if b"schema_version" not in (table.schema.metadata or {}):
        raise InputError(f"{name} of {root.where} was not written by phq")
    return table
