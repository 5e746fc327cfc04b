"""`merge`: samples of several datasets in one. The command ``phq merge`` is this one call."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from phq.building.contact_sheet import chosen, write_contact_sheet
from phq.building.running import alone, check_new
from phq.config.build import Config, Identity, load_config
from phq.curate.merge_names import common_numbers, distinct_names, distinct_paths
from phq.curate.merge_rows import Rows
from phq.curate.merge_sources import Source, Sources
from phq.curate.revision import fetching
from phq.dataset.card import Card, card_of
from phq.dataset.folder import SHEET, TOMBSTONES
from phq.dataset.overlays import LATEST
from phq.dataset.run import run_record, source_record
from phq.dataset.stored_rows import ChosenRows
from phq.dataset.tombstones import read_tombstones, unite_tombstones, write_tombstones
from phq.dataset.write import write_dataset
from phq.errors import ConfigError, OutputError
from phq.system.atomic import disk_errors_explained
from phq.system.version import __version__
from phq.weights.licences import Model


@dataclass(frozen=True)
class Merged:
    """The result of a merge."""

    out: Path
    kept: int
    rejected: int
    same: int
    """Rows that several datasets had, and that are there once."""
    duplicates: int
    """Samples rejected because another, of any of the datasets, shows the same."""
    redacted: int
    """Rows left out because one of the datasets has a tombstone for them."""
    moved: int
    """Samples that went to train because a linked one was there."""


@disk_errors_explained
def merge(
    datasets: Sequence[str | Path],
    out: str | Path,
    *,
    revision: str | None = LATEST,
    bits: int | None = None,
    keep_duplicates: bool = False,
    quiet: bool = True,
) -> Merged:
    """Write a new dataset with the samples of several, each as its overlays leave it.

    * A stored picture is there once. Duplicates are found and treated as in a build, over all samples together.
      Faces too, by the strictest cosine that a dataset was built with (``identity.same``).
    * Rejects are included. A path of different photos gets the name of its dataset's folder before it.
    * A sample keeps its split, unless it is linked to one of the other split (see `phq.decisions.split_groups`): then
      all of them go to train, so that nothing that was trained on is ever tested on.
    * A sample that any of the datasets has redacted is left out, and all tombstones are included.

    The order of `datasets` decides two things only: whose record stays where several have the same person of the same
    photo in the same picture, and which of two folders of the same name gets a number. Everything else, and all bytes
    otherwise, are the same in any order. Pictures and records pass through one at a time; in memory are some 300 bytes
    a row, and the temporary folder of the system (``TMPDIR``) takes 10 kB a row.

    Args:
        datasets: two or more folders or URLs.
        out: a new folder; the same call starts an interrupted merge again.
        revision: of each dataset, see `phq.dataset.overlays.names_up_to`.
        bits: most bits between the perceptual hashes of duplicates, by default that of a build.
        keep_duplicates: only record perceptual duplicates in ``duplicate_of``.
        quiet: no progress bar.

    Raises:
        ConfigError: fewer than two datasets, or `bits` out of range.
        InputError: no dataset, or datasets that do not fit together (size, convention, version), with a sentence.
        OutputError: the folder holds a dataset or other files, is inside one of them, or cannot be written.
    """
    if len(datasets) < 2:
        raise ConfigError("a merge needs at least two datasets and the folder of the new one")
    folder = _free(Path(out), datasets)
    settings = _settings(bits, keep_duplicates)
    with alone(folder), TemporaryDirectory(prefix="phq-") as scratch:
        check_new(folder)
        return _merged(Sources(datasets, revision, Path(scratch)), settings, folder, Path(scratch), quiet)


def _merged(sources: Sources, settings: Config, folder: Path, scratch: Path, quiet: bool) -> Merged:
    distinct_names(sources)
    distinct_paths(sources)
    common_numbers(sources)
    settings = settings.model_copy(update={"identity": _identity(sources.all)})
    rows = Rows(sources, scratch)
    stones = unite_tombstones(stone for source in sources.all for stone in read_tombstones(source.root))
    redacted = rows.drop_redacted(stones)
    same = rows.drop_repeated()
    duplicates = rows.drop_duplicates(settings)
    moved = rows.join_splits()
    kept, rejects = rows.sorted()
    if stones:
        write_tombstones(folder / TOMBSTONES, stones)
    if all(source.root.exists(SHEET) for source in sources.all):
        parts = [table["camera_yaw_deg"].to_numpy() for table in kept.batches(["camera_yaw_deg"])]
        yaws = np.concatenate([np.empty(0), *parts])
        shown = [kept[number] for number in chosen(yaws, np.arange(len(kept)))]
        write_contact_sheet(folder / SHEET, shown, rows.members)
    record = _run_record(sources.all, settings, rows.photos(), len(kept), rejects)
    with fetching(folder, kept, rows.members, "merge", quiet) as fetch:
        write_dataset(folder, kept, rejects, fetch, record, _card(sources.all))
    return Merged(folder, len(kept), len(rejects), same, duplicates, redacted, moved)


def _settings(bits: int | None, keep_duplicates: bool) -> Config:
    sets = [] if bits is None else [f"duplicates.bits={bits}"]
    return load_config("everything", None, [*sets, f"duplicates.reject={str(not keep_duplicates).lower()}"])


def _identity(sources: Sequence[Source]) -> Identity:
    """The strictest cosine that a dataset was built with, if one was stated."""
    configs = [source.revision.run.get("config") for source in sources]
    stated = [(config.get("identity") or {}).get("same") for config in configs if isinstance(config, dict)]
    return Identity(same=max((same for same in stated if same), default=None))


def _free(out: Path, datasets: Iterable[str | Path]) -> Path:
    for dataset in datasets:
        if Path(dataset).resolve() in (out.resolve(), *out.resolve().parents):
            raise OutputError(f"{out} is inside {dataset}; choose another folder")
    check_new(out)
    return out


def _card(sources: Sequence[Source]) -> Card:
    cards = [card_of(source.revision.run) for source in sources]
    since = [model for source in sources for about in source.revision.abouts() for model in about.get("models", [])]
    models = {*(model for card in cards for model in card.models), *(Model(**model) for model in since)}
    titles = " + ".join(sorted({card.title for card in cards}))
    return Card(titles, __version__, tuple(sorted(models, key=lambda m: (m.name, m.purpose, m.licence, m.source))))


def _run_record(
    sources: Sequence[Source], settings: Config, photos: int, kept: int, rejects: ChosenRows
) -> dict[str, Any]:
    """Content of ``run.json``: the merge, and the record of each dataset."""
    weights = [weight for source in sources for made in _made(source) for weight in made.get("weights", [])]
    records = [source_record(s.revision.run, name=s.name, overlays=s.revision.names) for s in sources]
    configs = {json.dumps(source.revision.run.get("config"), sort_keys=True) for source in sources}
    shared = json.loads(configs.pop()) if len(configs) == 1 else None
    people, reasons = kept, Counter[str]()
    for table in rejects.batches(["person_index", "reason"]):
        people += len(table) - table["person_index"].null_count
        reasons.update(table["reason"].to_pylist())
    return run_record(
        "merge",
        {"photos": photos, "people": people, "kept": kept, "rejected": dict(sorted(reasons.items()))},
        config=shared,
        weights=sorted(weights, key=_sorting),
        sources=sorted(records, key=_sorting),
        details={"duplicates": settings.duplicates.model_dump(mode="json")},
    )


def _sorting(record: Any) -> str:
    return json.dumps(record, sort_keys=True)


def _made(source: Source) -> Iterator[dict[str, Any]]:
    yield source.revision.run
    yield from source.revision.abouts()
