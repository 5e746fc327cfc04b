"""What must not be shared: a photo or a person between splits, a picture or a person between samples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from phq.curate.verify.kinds import Violation
from phq.curate.verify.tables import repeated
from phq.dataset.folder import MANIFEST
from phq.dataset.overlays import apply_overlays
from phq.dataset.statements import names_of

COLUMNS = ("key", "split", "decision", "shard", "source_sha256", "source_path", "identity")
"""Columns that decide whether two splits share anything."""
Told = set[tuple[str, str]]
"""Kind, and the photo or identity, of what is shared."""
_DECIDES = ("split", "decision", "source_sha256", "identity")


def split_violations(manifest: pa.Table, overlays: Sequence[tuple[str, pa.Table]]) -> Iterator[Violation]:
    """Photos and identities in two splits: as built, and in every state that the stack of overlays goes through.

    What is shared already in the state below is not told again.

    Args:
        manifest: `COLUMNS`, a row a sample. overlays: file and table of each, bottom to top.
    """
    state = manifest.select(COLUMNS)
    told = yield from _shared(state, "", set())
    for file, overlay in overlays:
        changing = [name for name in _DECIDES if name in overlay.column_names]
        if changing:
            state = apply_overlays(state, [overlay.select(["key", *changing])])
            told = yield from _shared(state, file, told)


def _shared(state: pa.Table, file: str, told: Told) -> Generator[Violation, None, Told]:
    kept = state.filter(pc.equal(state["decision"], "kept"))
    found = {("source_shared", name): rows for name, rows in _in_two_splits(kept, "source_sha256").items()}
    found |= {("identity_shared", name): rows for name, rows in _in_two_splits(_by_identity(kept), "identity").items()}
    for (kind, name), rows in found.items():
        if (kind, name) not in told:
            what = rows[0]["source_path"] if kind == "source_shared" else name
            where = file or rows[0]["shard"] or MANIFEST
            yield Violation(kind, where, rows[0]["key"] or "", f"{what}: {_places(rows)}")
    return set(found)


def _in_two_splits(table: pa.Table, column: str) -> dict[str, list[dict[str, Any]]]:
    """Value of the column → its rows, smaller split first, for every value that has samples in several splits."""
    table = table.filter(pc.and_(pc.not_equal(table[column], ""), pc.is_valid(table["split"])))
    counts = table.group_by(column).aggregate([("split", "count_distinct")])
    shared = counts.filter(pc.greater(counts["split_count_distinct"], 1))[column]
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in table.filter(pc.is_in(table[column], value_set=shared.combine_chunks())).to_pylist():
        rows[row[column]].append(row)
    return {name: _smaller_first(group) for name, group in sorted(rows.items())}


def _smaller_first(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    sizes: dict[str, int] = defaultdict(int)
    for row in rows:
        sizes[row["split"]] += 1
    return sorted(rows, key=lambda row: (sizes[row["split"]], row["split"], row["key"] or ""))


def _places(rows: list[dict[str, Any]]) -> str:
    """An example from each split."""
    return ", ".join(f"{split} {key}" for split, key in {row["split"]: row["key"] for row in reversed(rows)}.items())


def _by_identity(table: pa.Table) -> pa.Table:
    """A row for every identity of every sample: several are joined by ';'."""
    named = table.filter(pc.not_equal(table["identity"], ""))
    people = [list(names_of(identity)) for identity in named["identity"].to_pylist()]
    names = pa.array(people, pa.list_(pa.string()))
    single = named.take(pc.list_parent_indices(names))
    index = single.schema.get_field_index("identity")
    return single.set_column(index, "identity", pc.list_flatten(names))


def repeated_people(manifest: pa.Table) -> Iterator[Violation]:
    """Samples that are the same person of the same photo, by its bytes."""
    number = pc.cast(manifest["person_index"], pa.string())
    people = pc.binary_join_element_wise(manifest["source_sha256"], number, " person ")
    table = manifest.select(["key", "shard"]).append_column("person", people)
    same = pa.array(repeated(people.combine_chunks()), pa.string())
    first: dict[str, str] = {}
    for row in table.filter(pc.is_in(people, value_set=same)).to_pylist():
        before = first.setdefault(row["person"], row["key"])
        if before != row["key"]:
            yield Violation("person_repeated", row["shard"] or MANIFEST, row["key"], f"{row['person']} is {before} too")


def repeated_pictures(digests: Mapping[str, Mapping[str, bytes]]) -> Iterator[Violation]:
    """Samples whose pictures are equal in every pixel.

    Args:
        digests: shard → key → `phq.curate.verify.pictures.picture_digest`.
    """
    first: dict[bytes, str] = {}
    for shard, found in digests.items():
        for key, digest in found.items():
            if first.setdefault(digest, key) != key:
                yield Violation("picture_repeated", shard, key, f"it is that of {first[digest]}")


def alike(manifest: pa.Table) -> dict[str, frozenset[str]]:
    """Shard → keys of its samples whose perceptual hash another sample has too: only those can be equal."""
    same = pa.array(repeated(manifest["phash"].combine_chunks()), pa.string())
    chosen = manifest.filter(pc.is_in(manifest["phash"], value_set=same))
    keys: dict[str, set[str]] = defaultdict(set)
    for shard, key in zip(chosen["shard"].to_pylist(), chosen["key"].to_pylist(), strict=True):
        keys[shard].add(key)
    return {shard: frozenset(found) for shard, found in keys.items()}
