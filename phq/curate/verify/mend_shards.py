"""Repair of shards: headers, padding and end around whole members, and jsons that the manifest has too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from phq.curate.rewrite import rewrite_table
from phq.curate.verify.record import canonical, read_json
from phq.curate.verify.report import Report
from phq.curate.verify.rows import ManifestRows
from phq.dataset.card_sections import stated_files
from phq.dataset.content import content_tag
from phq.dataset.croissant import StoredFile, stored_file
from phq.dataset.folder import CROISSANT, MANIFEST, shard_name, shard_number
from phq.dataset.layout import BLOCK, blocks
from phq.dataset.tar import MEMBERS, ShardWriter
from phq.schema import Sample, sample_to_json
from phq.system.atomic import output_errors
from phq.system.journal import Change

MENDS = frozenset((
    "header_damaged", "header_not_canonical", "padding_not_zero", "end_damaged", "json_damaged", "json_invalid",
    "json_not_canonical", "json_differs",
))  # fmt: skip
_STRANGE = (
    "bytes_unaccounted", "member_unknown", "sample_unlisted", "key_repeated", "offset_wrong", "size_wrong",
    "sample_missing",
)  # fmt: skip
"""Violations of shards that have content unknown to the manifest, which rewriting could lose."""
Fields = Mapping[str, Any]


def mend(report: Report, change: Change) -> list[str]:
    """Rewrite shards whose members are where the manifest says; images and masks keep their bytes.

    A damaged json is replaced by that of the manifest's row if that has the recorded number of bytes. One that is whole
    but differs is replaced only if the shard then has the checksum in ``croissant.json``.
    """
    if report.state is None or report.state.manifest is None:
        return []
    strange = {found.file for found in report.violations if found.kind in _STRANGE}
    broken = {found.file for found in report.violations if found.kind in MENDS}
    stated = stated_files(_content(change.folder / CROISSANT))
    rows = ManifestRows(change.folder)
    names = [name for name in sorted(broken - strange) if name in report.state.paths()]
    mended = {name: _mended(change, name, rows.of(name), stated.get(name)) for name in names}
    renamed = {old: new for old, new in mended.items() if new and new != old}
    if renamed:
        rewrite_table(change.folder / MANIFEST, change.path(MANIFEST), partial(_renamed, renamed))
    return [f"{old} written again{f' as {new}' if new != old else ''}" for old, new in mended.items() if new]


def _renamed(names: Mapping[str, str], table: pa.Table, _: int) -> pa.Table:
    index = table.schema.get_field_index("shard")
    column = pa.array([names.get(name, name) for name in table["shard"].to_pylist()], table.schema.field(index).type)
    return table.set_column(index, table.schema.field(index), column)


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _mended(change: Change, name: str, rows: Sequence[Fields], stated: StoredFile | None) -> str:
    """Name of a better shard that is staged, "" if there is none.

    It is the old one where ``croissant.json`` states what the shard should be, even if not all of it can be mended; a
    content that is stated nowhere gets a name of its own.
    """
    old = change.folder / name
    ordered = sorted(rows, key=lambda row: int(row["jpg_offset"] or 0))
    if not is_layout(ordered, old.stat().st_size):
        return ""
    staged = change.path(name)
    for doubtful in (True, False):
        digests = _write(staged, old, ordered, doubtful)
        new = stored_file(change.folder, name, staged)
        if new == stated:
            return name
        if not doubtful and new != stored_file(change.folder, name):
            return name if stated else _under_new_name(change, name, digests)
    staged.unlink()
    return ""


def _under_new_name(change: Change, name: str, digests: list[str]) -> str:
    number = shard_number(name)
    new = shard_name(name.partition("/")[0], number, content_tag({number: digests}))
    with output_errors(change.path(name)):
        change.path(name).replace(change.path(new))
    change.delete(name)
    return new


def is_layout(rows: Sequence[Fields], size: int) -> bool:
    """Whether the members of these rows fill a shard without gaps, within a file of `size` bytes."""
    position = end = 0
    for row in rows:
        for prefix in MEMBERS.values():
            offset, length = row[f"{prefix}_offset"], row[f"{prefix}_size"]
            if offset != position + BLOCK or length is None or length < 0:
                return False
            end = offset + length
            position = offset + BLOCK * blocks(length)
    return end <= size


def _write(path: Path, old: Path, rows: Sequence[Fields], doubtful: bool) -> list[str]:
    """Digests of the samples in the new shard."""
    with old.open("rb") as stream, ShardWriter(path) as shard:
        for row in rows:
            members = dict(_members(stream, row))
            members["json"] = _right_json(members["json"], row, doubtful)
            shard.add(row["key"], members)
    return shard.digests


def _members(stream: BinaryIO, row: Fields) -> Iterator[tuple[str, bytes]]:
    for name, prefix in MEMBERS.items():
        stream.seek(row[f"{prefix}_offset"])
        yield name, stream.read(row[f"{prefix}_size"])


def _right_json(content: bytes, row: Fields, doubtful: bool) -> bytes:
    """The json of the row where it may replace the stored one; with `doubtful` also one that is whole."""
    right = canonical(row)
    if right is None or len(right) != len(content):
        return content
    sample = read_json(content)
    whole = isinstance(sample, Sample) and sample_to_json(sample) == content
    return content if whole and not doubtful else right
