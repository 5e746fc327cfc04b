"""Violations across samples: a photo or person in two splits, a picture or person in two samples."""

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
Shared = set[tuple[str, str]]
"""Kind of a violation, and the photo or identity that is shared."""
_DECIDES = ("split", "decision", "source_sha256", "identity")


def split_violations(manifest: pa.Table, overlays: Sequence[tuple[str, pa.Table]]) -> Iterator[Violation]:
    """Photos and identities in two splits, as built and in the revision of each overlay.

    Those that an earlier revision shares already are not reported again.

    Args:
        manifest: `COLUMNS`, one row per sample.
        overlays: file and table of each, bottom to top.
    """
    revision = manifest.select(COLUMNS)
    known = yield from _shared(revision, "", set())
    for file, overlay in overlays:
        changing = [name for name in _DECIDES if name in overlay.column_names]
        if changing:
            revision = apply_overlays(revision, [overlay.select(["key", *changing])])
            known = yield from _shared(revision, file, known)


def _shared(revision: pa.Table, file: str, known: Shared) -> Generator[Violation, None, Shared]:
    kept = revision.filter(pc.equal(revision["decision"], "kept"))
    found = {("source_shared", name): rows for name, rows in _in_two_splits(kept, "source_sha256").items()}
    found |= {("identity_shared", name): rows for name, rows in _in_two_splits(_by_identity(kept), "identity").items()}
    for (kind, name), rows in found.items():
        if (kind, name) not in known:
            what = rows[0]["source_path"] if kind == "source_shared" else name
            where = file or rows[0]["shard"] or MANIFEST
            yield Violation(kind, where, rows[0]["key"] or "", f"{what}: {_places(rows)}")
    return set(found)


def _in_two_splits(table: pa.Table, column: str) -> dict[str, list[dict[str, Any]]]:
    """Value of a column → its rows, smaller split first, for each value with samples in several splits."""
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
    """A row for each identity of each sample, of which several are joined by ';'."""
    named = table.filter(pc.not_equal(table["identity"], ""))
    people = [list(names_of(identity)) for identity in named["identity"].to_pylist()]
    names = pa.array(people, pa.list_(pa.string()))
    single = named.take(pc.list_parent_indices(names))
    index = single.schema.get_field_index("identity")
    return single.set_column(index, "identity", pc.list_flatten(names))


def repeated_people(manifest: pa.Table) -> Iterator[Violation]:
    """Samples of the same person in the same photo, by its bytes."""
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
    """Samples whose pictures have equal pixels.

    Args:
        digests: shard → key → `phq.curate.verify.pictures.picture_digest`.
    """
    first: dict[bytes, str] = {}
    for shard, found in digests.items():
        for key, digest in found.items():
            if first.setdefault(digest, key) != key:
                yield Violation("picture_repeated", shard, key, f"it is that of {first[digest]}")


def alike(manifest: pa.Table) -> dict[str, frozenset[str]]:
    """Shard → keys of its samples whose perceptual hash occurs again; only their pictures can be equal."""
    same = pa.array(repeated(manifest["phash"].combine_chunks()), pa.string())
    chosen = manifest.filter(pc.is_in(manifest["phash"], value_set=same))
    keys: dict[str, set[str]] = defaultdict(set)
    for shard, key in zip(chosen["shard"].to_pylist(), chosen["key"].to_pylist(), strict=True):
        keys[shard].add(key)
    return {shard: frozenset(found) for shard, found in keys.items()}
