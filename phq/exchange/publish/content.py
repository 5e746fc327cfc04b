"""The files of a published copy: those of the dataset, and what is made for it alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from phq.building.contact_sheet import choose, chosen, write_contact_sheet
from phq.dataset.card import card_of
from phq.dataset.card_sections import mended_card, right_card, stated_files
from phq.dataset.descriptions import DESCRIBED
from phq.dataset.folder import (
    CARD,
    CROISSANT,
    DATASHEET,
    MANIFEST,
    PREVIEW,
    REJECTS,
    RUN,
    SCHEMA,
    SHEET,
    TAKEDOWNS,
    TOMBSTONES,
    index_name,
    is_ours,
    shard_names,
)
from phq.dataset.overlays import overlay_file, stack_names
from phq.dataset.parquet import ParquetTable
from phq.dataset.preview import write_preview
from phq.dataset.reader import Dataset
from phq.dataset.takedowns import takedown_page, takedowns
from phq.dataset.tar import MEMBERS
from phq.dataset.tombstones import read_tombstones, write_tombstones
from phq.exchange.publish.datasheet import answers_in, datasheet
from phq.exchange.publish.facts import Facts
from phq.system.json_text import json_bytes
from phq.weights.digest import sha256_of

LAST = (CARD, RUN, CROISSANT, MANIFEST)
"""Files that appear after all others, since they promise those."""


def may_be_published(name: str) -> bool:
    """Whether a file of a target has a name that phq gives: one of a dataset's, or one made for the copy alone."""
    return is_ours(name) or name in (DATASHEET, TAKEDOWNS)


@dataclass(frozen=True)
class PublishedFile:
    """One file."""

    name: str
    """Path inside the copy."""
    size: int
    """Bytes."""
    sha256: str
    source: Path | None
    """The dataset's own file; None if it was made."""
    content: bytes = b""
    """What was made."""


def files_of(folder: Path, name: str, answers: str, samples: int) -> list[PublishedFile]:
    """Every file of the copy, the shards first and `LAST` last.

    Args:
        folder: of a sound dataset.
        name: that readers load the copy by, for the card.
        answers: a datasheet with the maintainer's answers, '' if there is none.
        samples: at most in the preview.

    Raises:
        InputError: a file cannot be read.
    """
    made = _made(folder, name, answers, samples)
    files = [*_own(folder, made), *(_of_content(path, content) for path, content in made.items())]
    return sorted(files, key=lambda file: (LAST.index(file.name) if file.name in LAST else -1, not file.source))


def _own(folder: Path, made: dict[str, bytes]) -> Iterator[PublishedFile]:
    """Files that are published as they are; an overlay that is not in force is not."""
    stated = stated_files((folder / CROISSANT).read_bytes() if (folder / CROISSANT).is_file() else None)
    shards = shard_names(folder)
    for name in (shard for names in shards.values() for shard in names):
        path = folder / name
        digest = stated[name].sha256 if name in stated else sha256_of(path)
        yield PublishedFile(name, path.stat().st_size, digest, path)
    overlays = [overlay_file(name) for name in stack_names(Dataset(folder).run)]
    for name in (*overlays, REJECTS, SCHEMA, *map(index_name, shards), CROISSANT, MANIFEST):
        path = folder / name
        if name not in made and path.is_file():
            yield PublishedFile(name, path.stat().st_size, sha256_of(path), path)


def _of_content(name: str, content: bytes) -> PublishedFile:
    return PublishedFile(name, len(content), hashlib.sha256(content).hexdigest(), None, content)


def _made(folder: Path, name: str, answers: str, samples: int) -> dict[str, bytes]:
    facts = Facts.of(folder)
    built = Dataset(folder, revision=None)
    card = replace(card_of(built.run), preview=True)
    run = {**built.run, "card": card.record()}
    stones = read_tombstones(folder)
    made = {
        DATASHEET: datasheet(facts, answers_in(answers)).encode(),
        TAKEDOWNS: ("\n".join(takedown_page(takedowns(stones))) + "\n").encode(),
        RUN: json_bytes(run),
        CARD: _card(folder, name, run, built).encode(),
    }
    with TemporaryDirectory() as scratch:
        if stones:  # the log says that a reason is withheld, and so must the table
            public = [replace(stone, reason="" if stone.named else stone.reason, named=False) for stone in stones]
            write_tombstones(Path(scratch, TOMBSTONES), public)
            made[TOMBSTONES] = Path(scratch, TOMBSTONES).read_bytes()
        made[PREVIEW] = _preview(Path(scratch, PREVIEW), built, samples)
        made[SHEET] = _sheet(Path(scratch, SHEET), built)
    return made


def _card(folder: Path, name: str, run: dict[str, Any], built: Dataset) -> str:
    """The dataset's own card with what a person wrote in it, and the sections of a published copy."""
    rejects = ParquetTable(built.root, REJECTS).read(list(DESCRIBED))
    right = right_card(card_of(run), ParquetTable(built.root, MANIFEST).read(list(DESCRIBED)), rejects)
    path = folder / CARD
    return mended_card(path.read_bytes() if path.exists() else None, right).replace(
        'load_dataset("DATASET"', f'load_dataset("{name}"'
    )


def _preview(path: Path, built: Dataset, most: int) -> bytes:
    """Evenly over all samples in the order of their yaw."""
    table = built.columns(["key", "camera_yaw_deg"])
    rows = chosen(table["camera_yaw_deg"], table["key"].to_pylist(), most)
    write_preview(path, built.select(sorted(rows)))
    return path.read_bytes()


def _sheet(path: Path, built: Dataset) -> bytes:
    """Drawn from the samples that are published, whatever the picture in the folder shows."""
    table = built.columns(["key", "camera_yaw_deg"]).to_pylist()
    items = {row["key"]: built[row["key"]] for row in choose(table)}
    write_contact_sheet(
        path,
        [item.row for item in items.values()],
        lambda row: {member: items[row["key"]].read(member) for member in MEMBERS},
    )
    return path.read_bytes()
