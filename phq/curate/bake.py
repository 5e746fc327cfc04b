"""`bake`: a dataset written again with its overlays applied. The command ``phq bake`` is this one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from phq.building.running import alone, check_new
from phq.curate.jsons import Jsons
from phq.curate.migrations import MIGRATIONS, Migration
from phq.curate.revision import Revision, fetching, without_places
from phq.dataset.card import Card, card_of
from phq.dataset.counts import REVISION
from phq.dataset.folder import TOMBSTONES
from phq.dataset.keys import KeyIndex, key_array
from phq.dataset.overlays import LATEST, write_overlay_file
from phq.dataset.root import Root
from phq.dataset.run import run_record, source_record
from phq.dataset.stored_rows import StoredRows
from phq.dataset.summary import COLUMNS as SUMMARISED
from phq.dataset.tar import STORAGE
from phq.dataset.tombstones import read_tombstones, write_tombstones
from phq.dataset.write import write_dataset
from phq.errors import OutputError
from phq.schema import Fields
from phq.system.atomic import disk_errors_explained
from phq.system.version import __version__
from phq.weights.licences import Model


@dataclass(frozen=True)
class Baked:
    """The result of a bake."""

    out: Path
    overlays: list[str]
    """Revision in, bottom to top."""
    kept: int
    rejected: int
    migrations: dict[str, int]
    """Records by the name of an applied migration."""
    carried: list[str]
    """Overlays of the new dataset: columns that are not in the schema."""


@disk_errors_explained
def bake(
    dataset: str | Path,
    out: str | Path,
    revision: str | None = LATEST,
    migrations: Sequence[Migration] = MIGRATIONS,
    *,
    quiet: bool = True,
) -> Baked:
    """Write a revision of a dataset as a new dataset, in today's schema and convention.

    Pictures and masks are copied byte for byte, so keys stay; jsons are encoded anew; samples that the revision does
    not keep become rejects. Columns that only an overlay has stay an overlay of the same name. With ``none`` and
    nothing to migrate the shards are what they were, byte for byte. The dataset itself is only read; it may be of a
    version that phq otherwise refuses.

    Args:
        dataset: a folder or URL.
        out: a new folder; the same call starts an interrupted bake again.
        revision: see `phq.dataset.overlays.names_up_to`.
        migrations: steps to today's format.
        quiet: no progress bar.

    Raises:
        InputError: no such dataset or revision, a damaged shard, a record that cannot be brought up to date.
        OutputError: the folder holds a dataset or something else, lies in the dataset, or cannot be written.
    """
    root, folder = Root(dataset), Path(out)
    if root.local is not None and root.local.resolve() in (folder.resolve(), *folder.resolve().parents):
        raise OutputError(f"{folder} is inside the dataset itself; choose another folder")
    check_new(folder)
    source = Revision(root, revision, migrations)
    with alone(folder), TemporaryDirectory(prefix="phq-") as scratch:
        check_new(folder)
        jsons = Jsons(Path(scratch) / "jsons")
        kept, rejects = _rows(source, Path(scratch), jsons)
        tombstones = read_tombstones(root)
        if tombstones:
            write_tombstones(folder / TOMBSTONES, tombstones)
        carried = _carry_extra(source, folder, kept.table()["key"])
        run = _run_record(source, len(kept), rejects.table()["reason"], carried)

        def members(row: Fields) -> dict[str, bytes]:
            return source.members(row["key"], jsons.read(row["key"]))

        with fetching(folder, kept, members, "bake", quiet) as fetch:
            write_dataset(folder, kept, rejects, fetch, run, _card(source))  # its manifest makes it a dataset
        return Baked(folder, source.names, len(kept), len(rejects), dict(source.steps), carried)


def _rows(source: Revision, scratch: Path, jsons: Jsons) -> tuple[StoredRows, StoredRows]:
    """(kept, rejects) on the disk; those that overlays reject come last. Jsons of what is kept go to `jsons`."""
    kept = StoredRows(scratch / "kept", ("key", *SUMMARISED, *STORAGE[1:]))
    rejects = StoredRows(scratch / "rejects", ("reason",))
    rejects.extend(source.rejects())
    for some in source.parts():
        stay = [row for row in some if row["decision"] == "kept"]
        kept.extend(row | {"json_size": size} for row, size in zip(stay, jsons.add(stay), strict=True))
        rejects.extend(without_places(row) for row in some if row["decision"] != "kept")
    return kept, rejects


def _card(source: Revision) -> Card:
    """The dataset's own, with everything that touched its labels since."""
    own = card_of(source.run)
    since = [Model(**model) for about in source.abouts() for model in about.get("models", [])]
    return Card(own.title, __version__, tuple(dict.fromkeys([*own.models, *since])))


def _run_record(source: Revision, kept: int, reasons: pa.ChunkedArray, carried: Sequence[str]) -> dict[str, Any]:
    """Content of ``run.json``; the dataset's own becomes its source."""
    old, abouts = source.run, source.abouts()
    counts = {"photos": 0, "people": 0, **old.get("counts", {})}
    counts.pop(REVISION, None)
    configs = [record["config"] for record in (old, *abouts) if record.get("config")]
    return run_record(
        "bake",
        {**counts, "kept": kept, "rejected": _counted(reasons)},
        config=configs[-1] if configs else None,
        weights=[weight for record in (old, *abouts) for weight in record.get("weights", [])],
        plan=old.get("plan", ""),
        sidecar=old.get("sidecar"),
        overlays=carried,
        sources=[source_record(old)],
        details={
            "overlays": [{"name": name, **about} for name, about in zip(source.names, abouts, strict=True)],
            "migrations": dict(sorted(source.steps.items())),
        },
    )


def _counted(reasons: pa.ChunkedArray) -> dict[str, int]:
    """Rejects by reason."""
    return dict(sorted((entry["values"], entry["counts"]) for entry in pc.value_counts(reasons).to_pylist()))


def _carry_extra(source: Revision, folder: Path, kept: pa.ChunkedArray) -> list[str]:
    """Write the columns that only an overlay has as an overlay of that name; the names."""
    carried, keys = [], KeyIndex(key_array(kept, str(folder)))
    for name, overlay, about in zip(source.names, source.overlays, source.abouts(), strict=True):
        if columns := source.extra(overlay):
            write_overlay_file(folder, name, overlay.chosen(columns, keys), columns, about)
            carried.append(name)
    return carried
