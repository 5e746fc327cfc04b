"""`merge`: samples of several datasets in one. The command ``phq merge`` is this one call."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phq.building.contact_sheet import write_contact_sheet
from phq.building.running import check_free
from phq.config.build import Config, Identity, load_config
from phq.curate.merge_rows import Rows
from phq.curate.merge_sources import Source, open_sources
from phq.curate.revision import fetching
from phq.dataset.card import Card, card_of
from phq.dataset.folder import SHEET, TOMBSTONES
from phq.dataset.overlays import LATEST
from phq.dataset.run import run_record, source_record
from phq.dataset.tombstones import read_tombstones, unite_tombstones, write_tombstones
from phq.dataset.write import write_dataset
from phq.errors import ConfigError, OutputError
from phq.schema import Fields
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
    otherwise, are the same in any order. Pictures pass through one at a time; records are in memory, as in a build.

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
    sources = open_sources(datasets, revision)
    settings = settings.model_copy(update={"identity": _identity(sources)})
    rows = Rows(sources)
    stones = unite_tombstones(stone for source in sources for stone in read_tombstones(source.root))
    redacted = rows.drop_redacted(stones)
    same = rows.drop_repeated()
    duplicates = rows.drop_duplicates(settings)
    moved = rows.join_splits()
    kept, rejects = rows.sorted()
    if stones:
        write_tombstones(folder / TOMBSTONES, stones)
    if all(source.root.exists(SHEET) for source in sources):
        write_contact_sheet(folder / SHEET, kept, rows.members)
    record = _run_record(sources, settings, kept, rejects)
    with fetching(folder, kept, rows.members, "merge", quiet) as fetch:
        write_dataset(folder, kept, rejects, fetch, record, _card(sources))
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
    check_free(out)
    return out


def _card(sources: Sequence[Source]) -> Card:
    cards = [card_of(source.revision.run) for source in sources]
    since = [model for source in sources for about in source.revision.abouts() for model in about.get("models", [])]
    models = {*(model for card in cards for model in card.models), *(Model(**model) for model in since)}
    titles = " + ".join(sorted({card.title for card in cards}))
    return Card(titles, __version__, tuple(sorted(models, key=lambda m: (m.name, m.purpose, m.licence, m.source))))


def _run_record(
    sources: Sequence[Source], settings: Config, kept: Sequence[Fields], rejects: Sequence[Fields]
) -> dict[str, Any]:
    """Content of ``run.json``: the merge, and the record of each dataset."""
    weights = [weight for source in sources for made in _made(source) for weight in made.get("weights", [])]
    records = [source_record(s.revision.run, name=s.name, overlays=s.revision.names) for s in sources]
    configs = {json.dumps(source.revision.run.get("config"), sort_keys=True) for source in sources}
    shared = json.loads(configs.pop()) if len(configs) == 1 else None
    return run_record(
        "merge",
        {
            "photos": len({row["source_path"] for row in (*kept, *rejects)}),
            "people": len(kept) + sum("person_index" in row for row in rejects),
            "kept": len(kept),
            "rejected": dict(sorted(Counter(str(row["reason"]) for row in rejects).items())),
        },
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
