"""The takedown log: what was removed from a dataset, when and why, without anything that leads to a person."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from phq.dataset.tombstones import Tombstone

WITHHELD = "not stated here"
"""Stands in place of a reason that names the person."""


@dataclass(frozen=True)
class Takedown:
    """What was removed on one day for one reason."""

    date: str
    """ISO day."""
    samples: int
    photos: int
    """Photos of which everything was removed."""
    reason: str
    tag: str
    """First 12 hex digits of the sha256 of its tombstones' hashes, sorted and joined by line feeds: two copies of a log
    can be compared, and nothing can be read from it."""


def takedowns(tombstones: Iterable[Tombstone]) -> list[Takedown]:
    """The log, oldest first.

    Args:
        tombstones: of a dataset, see `phq.dataset.tombstones.read_tombstones`.
    """
    public = sorted((one.date, WITHHELD if one.named else one.reason, one.key_sha256, one.photo) for one in tombstones)
    groups = groupby(public, key=lambda entry: (entry[0], entry[1]))
    return [_takedown(date, reason, list(some)) for (date, reason), some in groups]


def _takedown(date: str, reason: str, entries: Sequence[tuple[str, str, str, bool]]) -> Takedown:
    photos = sum(photo for *_, photo in entries)
    joined = "\n".join(digest for _, _, digest, _ in entries)
    tag = hashlib.sha256(joined.encode()).hexdigest()[:12]
    return Takedown(date, len(entries) - photos, photos, reason, tag)


def takedown_page(log: Sequence[Takedown]) -> Iterator[str]:
    """The log as a page in Markdown: how holders of a copy find out what to delete, then a table."""
    yield from ("# Takedowns", "", _ADVICE, "")
    if not log:
        yield from ("Nothing was removed so far.",)
        return
    yield from ("| date | samples | photos | reason | tag |", "|---|---|---|---|---|")
    for one in log:
        reason = one.reason.replace("|", "\\|").replace("<", "&lt;") or "not stated"
        yield f"| {one.date} | {one.samples} | {one.photos} | {reason} | `{one.tag}` |"


_ADVICE = """\
What was removed from this dataset on request. If you hold an earlier copy, delete from it what is listed in
`tombstones.parquet`: `key_sha256` is the sha256 of the text of a sample's key or of a photo's `source_sha256`. Then
delete what readers have kept of earlier revisions (see the card)."""
