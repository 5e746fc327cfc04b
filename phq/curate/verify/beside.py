"""Verification of the files that describe the shards: indexes, schema.json, run.json, card, croissant.json."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from phq.curate.verify.kinds import Violation
from phq.dataset.card import Card
from phq.dataset.card_sections import SECTIONS, card_faults, croissant_faults, kept_card, right_card, stated_files
from phq.dataset.counts import stored_rejects, true_counts
from phq.dataset.croissant import StoredFile, stored_file
from phq.dataset.folder import CARD, CROISSANT, MANIFEST, RUN, SCHEMA, index_name
from phq.dataset.overlays import names_up_to, stack_names
from phq.dataset.root import Root
from phq.dataset.wids_index import wids_index
from phq.dataset.write import schema_file
from phq.errors import InputError
from phq.schema import SCHEMA_VERSION

Shards = Mapping[str, Sequence[tuple[str, int, int]]]
"""Split → path inside the dataset, samples and bytes of each of its shards, as `wids_index` takes them."""


@dataclass(frozen=True)
class Described:
    """A dataset as it is, for comparison with its descriptions; tables that cannot be used are None."""

    folder: Path
    shards: Shards
    manifest: pa.Table | None
    rejects: pa.Table | None
    checksums: Mapping[str, str]
    """sha256 of every shard by its path inside the dataset; empty if they were not read as a whole."""
    run: Mapping[str, Any] | None

    def paths(self) -> list[str]:
        """Paths of the shards inside the dataset, in order."""
        return [name for shards in self.shards.values() for name, _, _ in shards]


def read_run(folder: Path) -> tuple[dict[str, Any] | None, list[Violation]]:
    """``run.json``, and violations if it cannot be used."""
    path = folder / RUN
    if not path.exists():
        return None, [Violation("run_missing", path.name)]
    try:
        run = json.loads(path.read_bytes())
    except (ValueError, OSError) as error:
        return None, [Violation("run_unreadable", path.name, "", str(error))]
    if not isinstance(run, dict) or run.get("schema_version") != SCHEMA_VERSION:
        return None, [Violation("run_unreadable", path.name, "", f"it does not say schema_version {SCHEMA_VERSION!r}")]
    try:
        for name in stack_names(run):
            names_up_to(run, name)
    except InputError as error:
        return run, [Violation("run_unreadable", path.name, "", str(error))]
    return run, []


def beside_violations(state: Described) -> Iterator[Violation]:
    """Every description of the dataset that is wrong."""
    for split, shards in state.shards.items():
        yield from _index_violations(state.folder, split, shards)
    if _content(state.folder / SCHEMA) != schema_file():
        yield Violation("schema_wrong", SCHEMA)
    for name, detail in wrong_counts(state).items():
        yield Violation("run_counts", RUN, "", f"{name}: {detail}")
    yield from _card_violations(state)


def _card_violations(state: Described) -> Iterator[Violation]:
    if state.manifest is None or state.rejects is None:
        return
    card = kept_card(state.run)
    right = right_card(card or Card("", "", ()), state.manifest, state.rejects)
    sections = SECTIONS if card else SECTIONS[:2]  # the licences of the models are in run.json alone
    for kind, detail in card_faults(_content(state.folder / CARD), right, sections):
        yield Violation(kind, CARD, "", detail)
    if card:
        content = _content(state.folder / CROISSANT)
        for kind, file, detail in croissant_faults(content, card, state.manifest, stored_files(state)):
            yield Violation(kind, file, "", detail)


def stored_files(state: Described) -> list[StoredFile]:
    """Manifest and shards with their checksums; for a shard that was not read, the stated one or none."""
    stated = stated_files(_content(state.folder / CROISSANT))
    files = [stored_file(state.folder, MANIFEST)]
    for shards in state.shards.values():
        for file, _, size in shards:
            checksum = state.checksums.get(file)
            files.append(StoredFile(file, size, checksum) if checksum else stated.get(file, StoredFile(file, size, "")))
    return files


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _index_violations(folder: Path, split: str, shards: Sequence[tuple[str, int, int]]) -> Iterator[Violation]:
    file = index_name(split)
    content = _content(folder / file)
    if content is None:
        yield Violation("index_missing", file)
    elif content != wids_index(split, shards):
        yield Violation("index_wrong", file, "", _index_fault(content, shards))


def _index_fault(content: bytes, shards: Sequence[tuple[str, int, int]]) -> str:
    try:
        stated = [(entry["url"], entry["nsamples"], entry["filesize"]) for entry in json.loads(content)["shardlist"]]
    except (ValueError, KeyError, TypeError):
        return "it is not an index of wids"
    for wrong in sorted(set(stated) ^ set(shards), key=str):
        there = "listed" if wrong in stated else "there and not listed"
        return f"{wrong[0]} with {wrong[1]} samples and {wrong[2]} bytes is {there}"
    return "its order or its head is another"


def wrong_counts(state: Described) -> dict[str, str]:
    """Sentences about counts in ``run.json`` that differ from those of the tables; absent counts are ignored."""
    counts = (state.run or {}).get("counts")
    if not isinstance(counts, dict) or state.manifest is None or state.rejects is None:
        return {}
    right = right_counts(state)
    wrong = {name: value for name, value in right.items() if counts[name] != value}
    return {name: f"{counts[name]}, and the tables have {value}" for name, value in wrong.items()}


def right_counts(state: Described) -> dict[str, Any]:
    """The counts of ``run.json`` as they should be; none if an overlay that they depend on cannot be read."""
    assert state.run is not None and state.manifest is not None and state.rejects is not None
    try:
        stored = stored_rejects(Root(state.folder), state.run)
    except InputError:  # reported as a violation of the overlay
        return {}
    return true_counts(state.run["counts"], state.manifest, state.rejects, stored)
