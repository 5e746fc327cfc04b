"""`bake`: a dataset written anew with its overlays folded in. What ``phq bake`` does is this one call."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phq.building.running import check_free
from phq.curate.annotate.folding import Folded
from phq.curate.annotate.migrations import MIGRATIONS, Migration
from phq.dataset.card import Card, stored_card
from phq.dataset.folder import TOMBSTONES
from phq.dataset.overlays import LATEST, write_overlay_file
from phq.dataset.root import Root
from phq.dataset.tombstones import read_tombstones, write_tombstones
from phq.dataset.write import write_dataset
from phq.decisions.rows import Fields
from phq.errors import OutputError
from phq.pose.body_choice import EMBEDDED_LICENCE, EMBEDDED_SOURCE
from phq.system.journal import recover
from phq.system.version import __version__
from phq.weights.licences import Model


@dataclass(frozen=True)
class Baked:
    """What a bake wrote, and where."""

    out: Path
    overlays: list[str]
    """Folded in, bottom to top."""
    kept: int
    rejected: int
    migrations: dict[str, int]
    """Records by the name of the migration that was applied."""
    carried: list[str]
    """Overlays of the new dataset: columns that no schema has a place for."""


def bake(
    dataset: str | Path,
    out: str | Path,
    revision: str | None = LATEST,
    migrations: Sequence[Migration] = MIGRATIONS,
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

    Raises:
        InputError: no such dataset or state, a damaged shard, a record that cannot be brought up to date.
        OutputError: the folder holds a dataset or something else, lies in the dataset, or cannot be written.
    """
    root, folder = Root(dataset), Path(out)
    if root.local is not None:
        recover(root.local)
        if root.local.resolve() in (folder.resolve(), *folder.resolve().parents):
            raise OutputError(f"{folder} lies in the dataset itself; choose another folder")
    check_free(folder)
    folded = Folded(root, revision, migrations)
    kept, rejects = folded.rows()
    tombstones = read_tombstones(root)
    if tombstones:
        write_tombstones(folder / TOMBSTONES, tombstones)
    carried = _carry_extra(folded, folder, {row["key"] for row in kept})
    run = _run_record(folded, kept, rejects) | ({"overlays": carried} if carried else {})
    write_dataset(folder, kept, rejects, folded.members, run, _card(folded))  # with its manifest the folder is done
    return Baked(folder, folded.names, len(kept), len(rejects), dict(folded.steps), carried)


def _card(folded: Folded) -> Card:
    """The dataset's own, with everything that touched its labels since."""
    own = _own_card(folded.run)
    since = [Model(**model) for about in folded.abouts() for model in about.get("models", [])]
    return Card(own.title, __version__, tuple(dict.fromkeys([*own.models, *since])))


def _own_card(run: Mapping[str, Any]) -> Card:
    """What the dataset's card said; made of its weights if it is from before ``run.json`` kept that."""
    if "card" in run:
        return stored_card(run)
    models = [Model(w["name"], w["purpose"], w["licence"], w["source"]) for w in run.get("weights", [])]
    if "body" in run:
        models.append(Model(run["body"]["name"], "body model", EMBEDDED_LICENCE, EMBEDDED_SOURCE))
    return Card("One-quarter headshots over 360°", __version__, tuple(models))


def _run_record(folded: Folded, kept: Sequence[Fields], rejects: Iterable[Fields]) -> dict[str, Any]:
    """Content of ``run.json``: that of the dataset, with what follows from the overlays."""
    old, abouts = folded.run, folded.abouts()
    reasons = Counter(str(row["reason"]) for row in rejects)
    counts = old.get("counts", {})
    in_words = isinstance(counts.get("rejected"), dict)
    rejected = dict(sorted(reasons.items())) if in_words else reasons.total()
    configs = [about["config"] for about in abouts if "config" in about]
    weights = [w for record in (old, *abouts) for w in record.get("weights", [])]
    before = {name: value for name, value in old.items() if name not in ("overlays", "card", "schema_version")}
    return {
        **before,
        "version": __version__,
        "python": sys.version.split()[0],
        "counts": {**counts, "kept": len(kept), "rejected": rejected},
        "weights": list({json.dumps(w, sort_keys=True): w for w in weights}.values()),
        **({"config": configs[-1]} if configs else {}),
        "baked": {
            "overlays": [{"name": name, **about} for name, about in zip(folded.names, abouts, strict=True)],
            "migrations": dict(sorted(folded.steps.items())),
            "version": old.get("version", ""),
        },
    }


def _carry_extra(folded: Folded, folder: Path, kept: set[str]) -> list[str]:
    """Write the columns that only an overlay has as an overlay of that name; the names."""
    carried = []
    for name, overlay, about in zip(folded.names, folded.overlays, folded.abouts(), strict=True):
        rows = folded.extra(overlay, kept)
        columns = rows.column_names[1:]
        if columns:
            write_overlay_file(folder, name, rows.to_pylist(), columns, about)
            carried.append(name)
    return carried
